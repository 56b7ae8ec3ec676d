# lit configuration: tools come from the build folder (SPIKELOOM_BUILD, default build/), FileCheck from LLVM 22.
import os

import lit.formats

config.name = "Spikeloom"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".mlir"]
config.excludes = ["Inputs", "unit", "python"]
config.test_source_root = os.path.dirname(__file__)
project = os.path.dirname(config.test_source_root)
build = os.environ.get("SPIKELOOM_BUILD", os.path.join(project, "build"))
config.test_exec_root = os.path.join(build, "test")
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(build, "bin"), "/usr/lib/llvm-22/bin", os.environ["PATH"]]
)
config.environment["PYTHONPATH"] = os.path.join(project, "python")
config.substitutions.append(("%project", project))
