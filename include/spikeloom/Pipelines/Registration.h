// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The one place that knows all dialects and passes, kept in its own translation unit because its headers are
// heavy.
#ifndef SPIKELOOM_PIPELINES_REGISTRATION_H
#define SPIKELOOM_PIPELINES_REGISTRATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace spikeloom {

/// Registers the dialects of Spikeloom and the upstream ones they are used with.
void registerDialects(mlir::DialectRegistry &registry);

/// Registers every pass and named pipeline, so that `snn-opt` can run them.
void registerPasses();

} // namespace spikeloom
#endif
