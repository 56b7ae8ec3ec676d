// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the tile dialect.
#ifndef SPIKELOOM_DIALECT_TILE_IR_TILEOPS
#define SPIKELOOM_DIALECT_TILE_IR_TILEOPS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "spikeloom/Dialect/Tile/IR/TileDialect.td"

class Tile_Op<string mnemonic, list<Trait> traits = []> : Op<Tile_Dialect, mnemonic, traits>;

class Tile_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::spikeloom::tile";
  let genSpecializedAttr = 0;
}

def Tile_Home : Tile_Enum<"Home", "where the authoritative copy of a buffer lives", [
    I32EnumAttrCase<"host", 0>, I32EnumAttrCase<"own", 1>, I32EnumAttrCase<"slice", 2>]>;
def Tile_HomeAttr : EnumAttr<Tile_Dialect, Tile_Home, "home"> { let assemblyFormat = "`<` $value `>`"; }

def Tile_Layout : Tile_Enum<"Layout", "how the host keeps a buffer that is sharded by unit", [
    I32EnumAttrCase<"blocked", 0>, I32EnumAttrCase<"rows", 1>]>;
def Tile_LayoutAttr : EnumAttr<Tile_Dialect, Tile_Layout, "layout"> { let assemblyFormat = "`<` $value `>`"; }

def Tile_View : Tile_Enum<"View", "how a codelet's argument sees its buffer", [
    I32EnumAttrCase<"own", 0>, I32EnumAttrCase<"broadcast", 1>, I32EnumAttrCase<"slice", 2>,
    I32EnumAttrCase<"partials", 3>]>;

def Tile_Access : Tile_Enum<"Access", "what a compute step does with an argument", [
    I32EnumAttrCase<"read", 0>, I32EnumAttrCase<"write", 1>, I32EnumAttrCase<"update", 2>]>;

class Tile_Attr<string name, string mnemonic_, list<Trait> traits = []> : AttrDef<Tile_Dialect, name, traits> {
  let mnemonic = mnemonic_;
}

def Tile_SliceAttr : Tile_Attr<"Slice", "slice"> {
  let summary = "A two-level affine slice of a buffer by task";
  let description = [{
    Task k starts at element (k / divisor) * outer + (k mod divisor) * inner of one step of the buffer and covers
    `extents`, with the buffer's own strides.

    Example: `#tile.slice<divisor = 4, outer = 1472, inner = 368, extents = [1, 368]>`
  }];
  let parameters = (ins "int64_t":$divisor, "int64_t":$outer, "int64_t":$inner, ArrayRefParameter<"int64_t">:$extents);
  let assemblyFormat = "`<` `divisor` `=` $divisor `,` `outer` `=` $outer `,` `inner` `=` $inner `,` `extents` `=` `[` $extents `]` `>`";
}

def Tile_ArgumentAttr : Tile_Attr<"Argument", "arg"> {
  let summary = "How a compute step passes a buffer to its codelet";
  let description = [{
    `steps` says that the codelet gets the rows of the steps it is called for, moved by `shift`; `address` is the byte
    address of the staging copy on the tile, -1 until memory is planned and for what is at home on the tile. Inside
    `tile.loop` the rows move on by `advance` from trip to trip, a number for each enclosing loop, the outermost first.
    With `advance` and without `steps` the codelet gets one row: that of the trip.

    Example: `#tile.arg<broadcast, read, steps = true, shift = 0, address = -1, advance = [100]>`
  }];
  let parameters = (ins EnumParameter<Tile_View>:$view, EnumParameter<Tile_Access>:$access,
                        DefaultValuedParameter<"bool", "false">:$steps, DefaultValuedParameter<"int64_t", "0">:$shift,
                        DefaultValuedParameter<"int64_t", "-1">:$address,
                        OptionalParameter<"::spikeloom::tile::SliceAttr">:$slice,
                        OptionalParameter<"::mlir::DenseI64ArrayAttr">:$advance);
  let assemblyFormat = "`<` $view `,` $access (`,` struct($steps, $shift, $address, $slice, $advance)^)? `>`";
}

def Tile_FamilyType : TypeDef<Tile_Dialect, "Family"> {
  let mnemonic = "family";
  let summary = "A range of tiles that run the same codelets";
  let description = [{ Example: `!tile.family` }];
}

//===----------------------------------------------------------------------===//
// Codelets
//===----------------------------------------------------------------------===//

def Tile_EndOp : Tile_Op<"end", [Pure, Terminator, ParentOneOf<["WorkersOp", "OwnEntriesOp", "ProgramOp", "PhaseOp"]>]> {
  let summary = "ends a region of the tile dialect";
  let description = [{ Implicit. Example: `tile.end` }];
  let assemblyFormat = "attr-dict";
}

def Tile_WorkersOp : Tile_Op<"workers", [RecursiveMemoryEffects, SingleBlockImplicitTerminator<"EndOp">]> {
  let summary = "the workers of a tile, each running the region with its number";
  let description = [{
    The supervisor starts `count` workers and waits for all. Workers share the issue slots of the tile: the step takes
    `count` times the slots of the slowest worker. They may not depend on each other; run one after another in
    ascending order they give the same result.

    ```mlir
    tile.workers %w of 6 {
      scf.for %b = %from to %to step %c1 { ... }
    }
    ```
  }];
  let arguments = (ins I64Attr:$count);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::BlockArgument getWorker() { return getBody().front().getArgument(0); }
  }];
}

def Tile_OwnEntriesOp : Tile_Op<"own_entries", [RecursiveMemoryEffects, SingleBlockImplicitTerminator<"EndOp">]> {
  let summary = "the entries of an event list that belong to this tile";
  let description = [{
    For each position j of `[0, n1)` of the list `ids[row...]` whose id is one of this tile's units (see the dialect for
    the map of units to tiles), runs the region with j and the number c of the unit in the tile. `n0` is the number of
    true spikes: the ids ascend in [0, n0) and again in [n0, n1), so that the entries of a group of tiles are two
    contiguous pieces of the list.

    ```mlir
    tile.own_entries %ids[%t, %b] from %n0, %n1 on %task {group = 64 : i64, per_tile = 2 : i64} : memref<?x48x72xi16> {
    ^bb0(%j: index, %c: index):
      %p = memref.load %payload[%t, %b, %j] : memref<?x48x72xf32>
      memref.store %p, %g[%c] : memref<2xf32>
    }
    ```
  }];
  let arguments = (ins AnyMemRef:$ids, Variadic<Index>:$row, Index:$n0, Index:$n1, Index:$task,
                       I64Attr:$group, I64Attr:$per_tile);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $ids `[` $row `]` `from` $n0 `,` $n1 `on` $task attr-dict `:` type($ids) $body
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::BlockArgument getPosition() { return getBody().front().getArgument(0); }
    ::mlir::BlockArgument getUnit() { return getBody().front().getArgument(1); }
  }];
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

def Tile_ProgramOp : Tile_Op<"program", [Symbol, NoTerminator, SingleBlock, RegionKindInterface,
                                          HasOnlyGraphRegion]> {
  let summary = "a program for a machine of tiles";
  let description = [{
    Holds families, buffers and phases. `machine` names the machine (a preset or what a JSON file described), `chips`
    how many chips it has.

    ```mlir
    tile.program @main machine("bow") chips(1) { ... }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$machine, I64Attr:$chips);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `machine` `(` $machine `)` `chips` `(` $chips `)` attr-dict-with-keyword $body";
}

def Tile_FamilyOp : Tile_Op<"family", [HasParent<"ProgramOp">, MemoryEffects<[MemAlloc]>]> {
  let summary = "a range of tiles that run the same codelets";
  let description = [{
    With `units`, the family owns that many units, `per_tile` on a tile, in groups of `group` tiles (see the dialect);
    without, it runs one task per tile. `first` is -1 until the family is placed.

    Example: `%fc1 = tile.family "fc1" tiles(733) first(-1) units(1466) per_tile(2) group(64)`
  }];
  let arguments = (ins StrAttr:$family, I64Attr:$tiles, DefaultValuedAttr<I64Attr, "-1">:$first,
                       DefaultValuedAttr<I64Attr, "0">:$units, DefaultValuedAttr<I64Attr, "1">:$per_tile,
                       DefaultValuedAttr<I64Attr, "1">:$group);
  let results = (outs Tile_FamilyType:$result);
  let assemblyFormat = [{
    $family `tiles` `(` $tiles `)` (`first` `(` $first^ `)`)? (`units` `(` $units^ `)`)? (`per_tile` `(` $per_tile^ `)`)?
    (`group` `(` $group^ `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def Tile_BufferOp : Tile_Op<"buffer", [HasParent<"ProgramOp">, MemoryEffects<[MemAlloc]>]> {
  let summary = "an array of the program";
  let description = [{
    The result type has the global shape; with `steps` its first dimension is time. `home` says where the array lives:
    with the host, sharded by unit over a family (the last dimension are the units), or sharded by task (`slice`).
    `clear` buffers are filled with `fill` at the start of a run; `persistent` ones keep their content between runs.
    `pitch` is the number of elements between rows on the host, `window` how many steps a tile keeps (0: all),
    `address` the byte address in the memory of the tiles, -1 until planned. `content` is what a persistent buffer holds
    for good; nobody writes it.

    Example: `%w = tile.buffer "fc1.weight" on %fc1 {home = #tile.home<own>, persistent} : memref<2312x1466xf32>`
  }];
  let arguments = (ins Optional<Tile_FamilyType>:$family, StrAttr:$buffer,
      DefaultValuedAttr<Tile_HomeAttr, "::spikeloom::tile::Home::host">:$home,
      DefaultValuedAttr<Tile_LayoutAttr, "::spikeloom::tile::Layout::rows">:$layout,
      OptionalAttr<Tile_SliceAttr>:$slice, UnitAttr:$steps, UnitAttr:$clear, UnitAttr:$persistent,
      DefaultValuedAttr<F32Attr, "0.0f">:$fill, DefaultValuedAttr<I64Attr, "0">:$pitch,
      DefaultValuedAttr<I64Attr, "0">:$spare, DefaultValuedAttr<I64Attr, "0">:$window,
      DefaultValuedAttr<I64Attr, "-1">:$address, OptionalAttr<ElementsAttr>:$content);
  let results = (outs AnyMemRef:$result);
  let assemblyFormat = "$buffer (`on` $family^)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Tile_LoopOp : Tile_Op<"loop", [ParentOneOf<["ProgramOp", "LoopOp"]>, NoTerminator, SingleBlock]> {
  let summary = "phases that run several times";
  let description = [{
    Runs its phases one after another, `trips` times: the micro-batches of a training step, for example. Code and
    memory are those of one trip. `clear` names the buffers that are filled with their `fill` before every trip, as
    buffers with `clear` are at the start of a run; a sum that goes on from trip to trip is not among them. Arguments
    move on in their buffers by their `advance`. With `sums` every trip makes a share of the losses, hits and counts of
    spikes that the program reports: the host adds them up.

    ```mlir
    tile.loop "micro_batches" trips(4) sums clear(%v : memref<48x1466xf32>) {
      tile.phase "forward" steps(100) { tile.compute ... {views = [#tile.arg<slice, read, steps = true, advance = [100]>]} }
      tile.phase "backward" reverse steps(100) { ... }
    }
    ```
  }];
  let arguments = (ins StrAttr:$loop, I64Attr:$trips, UnitAttr:$sums, Variadic<AnyMemRef>:$clear);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $loop `trips` `(` $trips `)` (`sums` $sums^)? (`clear` `(` $clear^ `:` type($clear) `)`)?
    attr-dict-with-keyword $body
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Tile_PhaseOp : Tile_Op<"phase", [ParentOneOf<["ProgramOp", "LoopOp"]>, NoTerminator, SingleBlock]> {
  let summary = "a loop over time";
  let description = [{
    Runs its compute steps for `steps` steps, in chunks of `chunk`; chunk k of a compute step runs in superstep
    k * interval + its offset. `reverse` phases go from the last step to the first.

    ```mlir
    tile.phase "forward" steps(100) chunk(1) interval(1) { tile.compute ... }
    ```
  }];
  let arguments = (ins StrAttr:$phase, I64Attr:$steps, UnitAttr:$reverse, DefaultValuedAttr<I64Attr, "1">:$chunk,
                       DefaultValuedAttr<I64Attr, "1">:$interval);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $phase (`reverse` $reverse^)? `steps` `(` $steps `)` (`chunk` `(` $chunk^ `)`)? (`interval` `(` $interval^ `)`)?
    attr-dict-with-keyword $body
  }];
}

def Tile_ComputeOp : Tile_Op<"compute", [HasParent<"PhaseOp">]> {
  let summary = "one codelet on the tiles of a family";
  let description = [{
    `views` has one `#tile.arg` per argument. `offset` is the superstep of chunk 0 within the phase, -1 until
    scheduled. `group_sum` marks the second half of a reduction over tiles: on the host the codelet that made the
    partial sums has added the tiles of each group, and what remains is to add the groups.

    Example: `tile.compute @fc1.forward on %fc1(%w, %ids) {kind = "forward", layer = "fc1", views = [...]} : memref<...>, memref<...>`
  }];
  let arguments = (ins FlatSymbolRefAttr:$codelet, Tile_FamilyType:$family, Variadic<AnyMemRef>:$arguments,
      TypedArrayAttrBase<Tile_ArgumentAttr, "arguments">:$views, StrAttr:$layer, StrAttr:$kind,
      DefaultValuedAttr<I64Attr, "-1">:$offset, DefaultValuedAttr<I64Attr, "0">:$exchange_bytes,
      DefaultValuedAttr<I64Attr, "0">:$exchange_cycles, UnitAttr:$group_sum);
  let assemblyFormat = [{
    $codelet `on` $family `(` $arguments `)` attr-dict `:` type($arguments)
  }];
  let hasVerifier = 1;
}

def Tile_PortOp : Tile_Op<"port", [HasParent<"ProgramOp">]> {
  let summary = "a buffer that people name";
  let description = [{
    `role` is one of input, output, parameter, state, gradient, optimizer, label, weight, hyper, loss, correct;
    `shape` is the shape in the user's order; `transposed` says that the buffer holds [in][out] of an [out, in]
    parameter; `pair` names the parameter of a gradient or optimiser state and the input of a state's last value.
    `axes` is `snn.axes` of the argument or result: how the host's array lies. With `connections` the buffer holds the
    [m][out] values of an [out, in] parameter at its connections; element [j][o] of `connections`, without sign, is
    the input that value belongs to, or 65535 for none.

    Example: `tile.port "fc1.weight" role("parameter") = %w {shape = array<i64: 1466, 2312>, transposed, trainable} : memref<2312x1466xf32>`
  }];
  let arguments = (ins StrAttr:$port, StrAttr:$role, AnyMemRef:$buffer, DenseI64ArrayAttr:$shape, UnitAttr:$transposed,
      UnitAttr:$trainable, DefaultValuedAttr<F32Attr, "0.0f">:$initial, DefaultValuedAttr<StrAttr, "\"\"">:$pair,
      OptionalAttr<ElementsAttr>:$value, DefaultValuedAttr<StrAttr, "\"\"">:$axes, Optional<AnyMemRef>:$connections);
  let assemblyFormat = [{
    $port `role` `(` $role `)` `=` $buffer (`connections` `(` $connections^ `:` type($connections) `)`)? attr-dict
    `:` type($buffer)
  }];
  let hasVerifier = 1;
}

def Tile_EventsOp : Tile_Op<"events", [HasParent<"ProgramOp">]> {
  let summary = "an event list to report on";
  let description = [{
    Names the buffer `[T][B][10]` of counts of a list, for spikes, capacity and overflow in the profile.

    Example: `tile.events "fc1" units(1466) capacity(72) = %info : memref<100x48x10xi32>`
  }];
  let arguments = (ins StrAttr:$layer, I64Attr:$units, I64Attr:$capacity, AnyMemRef:$info);
  let assemblyFormat = "$layer `units` `(` $units `)` `capacity` `(` $capacity `)` `=` $info attr-dict `:` type($info)";
}

#endif
