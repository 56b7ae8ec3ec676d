# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The one place of the version: CMake, the wheel and the tools read it here.
"""The version of Spikeloom."""

__version__ = "0.1.0"
