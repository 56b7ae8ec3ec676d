# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Spikeloom: sparse and spiking networks compiled for processors made of many small tiles."""
