// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The numbers of the Bow chip and where they come from. Abbreviated sources:
//   poplibs         github graphcore/poplibs 7eac0f26: cycle estimators and planners
//   poplibs 2016    its early history, with Graphcore's hand-written target constants
//   isa             github graphcore/ipu_assembly_support eb6cda97: generated instruction descriptions
//   reverse         github Saghetti0/graphcore-ipu-research 9aa9188c: third-party, Mk1
//   tessellate      github graphcore-research/tessellate-ipu 3ab241f: AMP benchmark on Bow hardware
//   stencils        github UoB-HPC/structured-grids-stencils-on-ipu; Louw, McIntosh-Smith 2021: Mk1 hardware
//   docs            docs.graphcore.ai: IPUModel, assembly vertices, datasheets
#include "MachineFields.h"

namespace spikeloom::detail {

double read(const Slot &slot) {
  return std::visit([](auto *field) { return double(*field); }, slot);
}

void write(const Slot &slot, double value) {
  std::visit([value](auto *field) { *field = std::remove_pointer_t<decltype(field)>(value); }, slot);
}

namespace {

constexpr ConstantStatus measured = ConstantStatus::measured, derived = ConstantStatus::derived,
                         assumed = ConstantStatus::assumed;

// The name in files is the name in C++.
#define FIELD(member, unit, minimum, value, status, source)                                                  \
  MachineField {                                                                                             \
    #member, [](Machine &machine) -> Slot { return &machine.member; }, unit, minimum, value, status, source  \
  }

} // namespace

const std::vector<MachineField> &machineFields() {
  static const std::vector<MachineField> fields = {
      FIELD(chips, "chips", 1, 1, assumed, "chosen by the user"),
      FIELD(tiles, "tiles per chip", 1, 1472, measured, "docs: IPU-M2000 and Bow-2000 datasheets"),
      FIELD(tileMemoryBytes, "bytes", 1, 638976, measured,
            "624 KiB; out-of-memory text of graphcore/tutorials 4"),
      FIELD(interleavedStart, "bytes", 0, 311296, derived,
            "304 KiB: address map 0x4C000-0x98000-0xE8000; reverse"),
      FIELD(elementBytes, "bytes", 8, 16384, measured, "bank of 16 KiB; docs glossary, reverse"),
      FIELD(reservedBytes, "bytes", 0, 16384, assumed,
            "stacks, control code, vertex state: no published constant"),
      FIELD(clockHz, "Hz", 0, 1.85e9, measured, "tessellate; Bow-2000 datasheet"),
      FIELD(workers, "contexts", 1, 6, measured, "isa, poplibs"),
      FIELD(rptMax, "iterations", 1, 65535, measured, "isa: repeat count limited to 16 bits of a register"),
      FIELD(deltaReachBytes, "bytes", 1, 65536, measured, "isa, poplibs: unsigned 16-bit byte offsets"),
      FIELD(storeGranularityBytes, "bytes", 1, 4, measured, "docs: IPUModel atomicStoreGranularity"),
      FIELD(codeInstructionBytes, "bytes", 1, 4, measured, "docs: IPUModel instructionBytes"),
      FIELD(computeLaunchCycles, "cycles", 0, 37, derived,
            "tessellate: constant left between the AMP formula of poplibs and hardware, 128 points"),
      FIELD(supervisorCycles, "cycles", 0, 11, measured, "poplibs: MultiVertex overhead"),

      FIELD(exchange.bytesPerCycle, "bytes/cycle", 0, 4, measured,
            "docs: IPUModel exchangeBytesPerCycle; poplibs"),
      FIELD(exchange.fixedCycles, "cycles", 0, 100, derived,
            "stencils: fit over Mk1 exchanges, 100 + bytes/2.75"),
      FIELD(exchange.pairSharing, "true/false", 0, 1, measured, "poplibs: ExchangeEstimator; docs"),
      FIELD(exchange.efficiency, "fraction", 0, 1, assumed,
            "1 for planned exchanges; stencils show 0.7 for compiled ones"),
      FIELD(exchange.pieceCycles, "cycles", 0, 2, assumed,
            "one switch and one send per piece, partly hidden; reverse"),
      FIELD(exchange.sendLimitBytes, "bytes", 4, 256, measured, "reverse: 64 words per send"),
      FIELD(exchange.instructionBytes, "bytes", 0, 4, measured, "poplibs: planner comments; reverse"),

      FIELD(arrangement.fixedCycles, "cycles", 0, 587, derived,
            "poplibs: regression over 10,000 tests on Mk2"),
      FIELD(arrangement.cyclesPerByte2, "cycles/byte", 0, 5.15, derived, "poplibs: the same regression"),
      FIELD(arrangement.cyclesPerByte4, "cycles/byte", 0, 3.125, derived, "poplibs: the same regression"),
      FIELD(arrangement.cyclesPerByte8, "cycles/byte", 0, 0.44, derived, "poplibs: the same regression"),

      FIELD(sync.internalCycles, "cycles", 0, 90, derived,
            "poplibs: CTC planner; stencils: 64 and 117 on Mk1 hardware"),
      FIELD(sync.externalCycles, "cycles", 0, 572, measured, "stencils: 501-642 on 16 Mk1 chips, middle"),

      FIELD(links.perChip, "links", 1, 10, assumed, "secondary: 10 links x 32 GB/s per Mk2 chip"),
      FIELD(links.bytesPerSecond, "bytes/s", 0, 32e9, assumed, "secondary: 10 links x 32 GB/s per Mk2 chip"),
      FIELD(links.latencySeconds, "s", 0, 1e-6, assumed,
            "stencils: 3043-4048 cycles per global exchange, mostly volume"),

      FIELD(host.bytesPerSecond, "bytes/s", 0, 8e9, assumed,
            "between 5.5 GB/s (gateway, back) and 11 GB/s (PCIe)"),
      FIELD(host.streamingBytesPerSecond, "bytes/s", 0, 20e9, assumed, "secondary: 20 GB/s per chip"),

      FIELD(instructions.load, "slots", 0, 1, measured, "isa: one instruction, completes within the slot"),
      FIELD(instructions.loadPair, "slots", 0, 1, measured, "isa: 64-bit load"),
      FIELD(instructions.loadQuad, "slots", 0, 1, measured, "isa: 128-bit load, interleaved memory"),
      FIELD(instructions.loadTwo, "slots", 0, 1, measured, "isa: triple-address load and store"),
      FIELD(instructions.deltaLoad, "slots", 0, 1, measured,
            "isa: load at offset with fetch of the next offset"),
      FIELD(instructions.store, "slots", 0, 1, measured, "isa"),
      FIELD(instructions.storePair, "slots", 0, 1, measured, "isa: 64-bit store"),
      FIELD(instructions.integer, "slots", 0, 1, measured, "isa: single-cycle integer instructions"),
      FIELD(instructions.integerMultiply, "slots", 0, 1, measured,
            "isa; Parendi: as dear as an addition on Mk2"),
      FIELD(instructions.integerDivide, "slots", 0, 45, derived,
            "poplibs: integer division about 270 cycles per element"),
      FIELD(instructions.integerCompare, "slots", 0, 1, measured, "isa"),
      FIELD(instructions.integerSelect, "slots", 0, 1, assumed, "conditional move"),
      FIELD(instructions.branch, "slots", 0, 1, measured, "isa: workers see no branch hazard"),
      FIELD(instructions.loopStep, "slots", 0, 1, measured, "isa: decrement-and-branch"),
      FIELD(instructions.rptSetup, "slots", 0, 1, measured, "isa: rpt"),
      FIELD(instructions.workerEntry, "slots", 0, 15, derived,
            "poplibs: smallest worker constants of hand-written vertices"),
      FIELD(instructions.pointerUnpack, "slots", 0, 2, measured, "poplibs: getUnpackCost"),
      FIELD(instructions.f32, "slots", 0, 1, measured, "isa"),
      FIELD(instructions.f32v2, "slots", 0, 1, measured, "isa: two lanes in one slot"),
      FIELD(instructions.f32Compare, "slots", 0, 1, measured, "isa: compare gives lane masks"),
      FIELD(instructions.f32Mask, "slots", 0, 1, measured, "isa: and, andc on masks"),
      FIELD(instructions.f32Select, "slots", 0, 3, derived, "isa: and, andc, or"),
      FIELD(instructions.f32Divide, "slots", 0, 5, measured,
            "poplibs: division 10 cycles-in-slots per 2 elements; isa 4-5"),
      FIELD(instructions.f32Sqrt, "slots", 0, 5, measured, "poplibs, reverse: 4-5"),
      FIELD(instructions.f32Exp, "slots", 0, 3, measured, "poplibs op tables, reverse"),
      FIELD(instructions.f32Log, "slots", 0, 6, measured, "poplibs op tables, reverse"),
      FIELD(instructions.f32Sigmoid, "slots", 0, 5, measured, "poplibs op tables, reverse"),
      FIELD(instructions.f32Tanh, "slots", 0, 5, measured, "poplibs op tables, reverse"),
      FIELD(instructions.convert, "slots", 0, 1, assumed, "one aux instruction"),

      FIELD(compiled.iterationSlots, "slots", 0, 6.3, derived,
            "stencils: STREAM triad, tuned and naive C++ on Mk1"),
  };
  return fields;
}
#undef FIELD

} // namespace spikeloom::detail
