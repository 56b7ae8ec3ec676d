// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attributes of the snn dialect: event encoding, neuron conventions, surrogates, argument kinds.
#ifndef SPIKELOOM_DIALECT_SNN_IR_SNNATTRIBUTES
#define SPIKELOOM_DIALECT_SNN_IR_SNNATTRIBUTES

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/TensorEncoding.td"
include "spikeloom/Dialect/SNN/IR/SNNDialect.td"

class SNN_Attr<string name, string mnemonic_, list<Trait> traits = []> : AttrDef<SNN_Dialect, name, traits> {
  let mnemonic = mnemonic_;
}

def SNN_EventsAttr : SNN_Attr<"Events", "events", [
    DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "Encoding of an event tensor: per row a list of at most `capacity` ids";
  let description = [{
    A tensor with this encoding is a value plus a support (see the dialect). `binary` says that the listed true
    spikes are exactly 1 and the near-threshold entries exactly 0, so that no payload is stored.

    Example: `tensor<48x1466xf32, #snn.events<capacity = 72, binary = true>>`
  }];
  let parameters = (ins "int64_t":$capacity, DefaultValuedParameter<"bool", "false">:$binary);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

class SNN_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::spikeloom::snn";
  let genSpecializedAttr = 0;
}

def SNN_FireOrder : SNN_Enum<"FireOrder", "whether a step integrates before it fires", [
    I32EnumAttrCase<"integrate_fire", 0>, I32EnumAttrCase<"fire_integrate", 1>]>;
def SNN_FireOrderAttr : EnumAttr<SNN_Dialect, SNN_FireOrder, "order"> { let assemblyFormat = "`<` $value `>`"; }

def SNN_ResetTime : SNN_Enum<"ResetTime", "when the reset of a spike happens", [
    I32EnumAttrCase<"same_step", 0>, I32EnumAttrCase<"delayed", 1>]>;
def SNN_ResetTimeAttr : EnumAttr<SNN_Dialect, SNN_ResetTime, "reset_time"> { let assemblyFormat = "`<` $value `>`"; }

def SNN_ResetKind : SNN_Enum<"ResetKind", "what a reset does to the membrane", [
    I32EnumAttrCase<"subtract", 0>, I32EnumAttrCase<"value", 1>, I32EnumAttrCase<"none", 2>]>;
def SNN_ResetKindAttr : EnumAttr<SNN_Dialect, SNN_ResetKind, "reset_kind"> { let assemblyFormat = "`<` $value `>`"; }

def SNN_ResetScope : SNN_Enum<"ResetScope", "whether a delayed reset to a value also discards the step's input", [
    I32EnumAttrCase<"decayed_state", 0>, I32EnumAttrCase<"whole_update", 1>]>;
def SNN_ResetScopeAttr : EnumAttr<SNN_Dialect, SNN_ResetScope, "reset_scope"> { let assemblyFormat = "`<` $value `>`"; }

def SNN_Comparison : SNN_Enum<"Comparison", "strict or non-strict test of the threshold", [
    I32EnumAttrCase<"gt", 0>, I32EnumAttrCase<"ge", 1>]>;
def SNN_ComparisonAttr : EnumAttr<SNN_Dialect, SNN_Comparison, "cmp"> { let assemblyFormat = "`<` $value `>`"; }

def SNN_SurrogateKind : SNN_Enum<"SurrogateKind", "derivative used in place of the step function's", [
    I32EnumAttrCase<"fast_sigmoid", 0>, I32EnumAttrCase<"superspike", 1>, I32EnumAttrCase<"atan", 2>]>;

def SNN_SurrogateAttr : SNN_Attr<"Surrogate", "surrogate"> {
  let summary = "Surrogate derivative of the spike with respect to the membrane";
  let description = [{
    With u = membrane - threshold and slope k:

    | kind | derivative |
    | --- | --- |
    | `fast_sigmoid` (snnTorch), `superspike` (Norse) | 1 / (1 + k abs(u))^2 |
    | `atan` (snnTorch) | (k/2) / (1 + (pi/2 k u)^2) |

    Example: `#snn.surrogate<fast_sigmoid, 25.0>`
  }];
  let parameters = (ins EnumParameter<SNN_SurrogateKind>:$kind, APFloatParameter<"">:$slope);
  let assemblyFormat = "`<` $kind `,` custom<Slope>($slope) `>`";
  let genVerifyDecl = 1;
  let builders = [AttrBuilder<(ins "SurrogateKind":$kind, "double":$slope), [{
    return $_get($_ctxt, kind, llvm::APFloat(slope));
  }]>];
}

def SNN_WeightDecay : SNN_Enum<"WeightDecay", "how an optimiser shrinks parameters", [
    I32EnumAttrCase<"none", 0>, I32EnumAttrCase<"l2", 1>, I32EnumAttrCase<"decoupled", 2>]>;
def SNN_WeightDecayAttr : EnumAttr<SNN_Dialect, SNN_WeightDecay, "weight_decay"> { let assemblyFormat = "`<` $value `>`"; }

def SNN_ArgumentKind : SNN_Enum<"ArgumentKind", "what a model's argument is", [
    I32EnumAttrCase<"input", 0>, I32EnumAttrCase<"parameter", 1>, I32EnumAttrCase<"state", 2>,
    I32EnumAttrCase<"label", 3>, I32EnumAttrCase<"weight", 4>, I32EnumAttrCase<"hyper", 5>, I32EnumAttrCase<"random", 7>,
    I32EnumAttrCase<"optimizer", 6>]>;
def SNN_ArgumentKindAttr : EnumAttr<SNN_Dialect, SNN_ArgumentKind, "kind"> { let assemblyFormat = "`<` $value `>`"; }

#endif
