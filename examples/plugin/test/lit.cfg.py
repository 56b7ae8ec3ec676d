# Tools come from the plugin's build folder, the installed Spikeloom and LLVM; see the target `check`.
import os

import lit.formats

config.name = "Filter plugin"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".mlir"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(os.environ["FILTER_BUILD"], "test")
config.environment["PATH"] = os.pathsep.join(
    [os.environ[name] for name in ("FILTER_BUILD", "SPIKELOOM_TOOLS", "LLVM_TOOLS", "PATH")]
)
plugin = os.path.join(os.environ["FILTER_BUILD"], "FilterPlugin.so")
config.substitutions.append(
    ("%plugin", f"--load-dialect-plugin={plugin} --load-pass-plugin={plugin}")
)
