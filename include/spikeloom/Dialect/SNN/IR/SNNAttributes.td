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

def SNN_ConnectionsAttr : SNN_Attr<"Connections", "connections", [
    DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "Encoding of a sparse weight matrix `[out, in]`: which inputs each output is connected to";
  let description = [{
    Row o of `inputs`, `tensor<OUT x M x i32>`, holds the inputs of output o in ascending order, then -1 up to M, the
    largest number of inputs that an output has. A tensor with this encoding has the shape and the values of the dense
    matrix and is zero wherever there is no connection, for good: gradients and optimiser states of such a weight have
    its type. Only the connections are stored and computed. There are at most 65535 inputs.

    Example: `tensor<2x4xf32, #snn.connections<dense<[[0, 3], [1, -1]]> : tensor<2x2xi32>>>`
  }];
  let parameters = (ins "::mlir::DenseIntElementsAttr":$inputs);
  let assemblyFormat = "`<` $inputs `>`";
  let extraClassDeclaration = [{
    /// Inputs of a weight with connections: ids take 16 bits, of which one value stands for no connection.
    static constexpr int64_t kMostInputs = 65535;
    /// M, the largest number of inputs of an output.
    int64_t getFanIn() const { return getInputs().getType().getDimSize(1); }
    /// Whether some output has fewer inputs than others.
    bool isPadded() const;
    /// The inputs of every output, ascending.
    std::vector<std::vector<int32_t>> getLists() const;
  }];
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
    I32EnumAttrCase<"fast_sigmoid", 0>, I32EnumAttrCase<"superspike", 1>, I32EnumAttrCase<"atan", 2>,
    I32EnumAttrCase<"soft_sign", 3>, I32EnumAttrCase<"inverse_square", 4>, I32EnumAttrCase<"sparse_fast_sigmoid", 5>,
    I32EnumAttrCase<"sigmoid", 6>, I32EnumAttrCase<"triangular", 7>, I32EnumAttrCase<"straight_through", 8>,
    I32EnumAttrCase<"heaviside", 9>, I32EnumAttrCase<"shifted_heaviside", 10>,
    I32EnumAttrCase<"spike_rate_escape", 11>, I32EnumAttrCase<"leaky", 12>,
    I32EnumAttrCase<"piecewise_quadratic", 13>, I32EnumAttrCase<"piecewise_exp", 14>, I32EnumAttrCase<"erf", 15>,
    I32EnumAttrCase<"heavi_erfc", 16>, I32EnumAttrCase<"heavi_tanh", 17>, I32EnumAttrCase<"heavi_circ", 18>,
    I32EnumAttrCase<"triangle", 19>, I32EnumAttrCase<"piecewise_leaky_relu", 20>, I32EnumAttrCase<"rect", 21>,
    I32EnumAttrCase<"nonzero_sign_log_abs", 22>, I32EnumAttrCase<"s2nn", 23>, I32EnumAttrCase<"q_pseudo_spike", 24>,
    I32EnumAttrCase<"fake_numerical_gradient", 25>, I32EnumAttrCase<"log_tailed_relu", 26>,
    I32EnumAttrCase<"single_exponential", 27>, I32EnumAttrCase<"periodic_exponential", 28>,
    I32EnumAttrCase<"gaussian", 29>, I32EnumAttrCase<"multi_gaussian", 30>]>;

def SNN_SurrogateAttr : SNN_Attr<"Surrogate", "surrogate"> {
  let summary = "Surrogate derivative of the spike with respect to the membrane";
  let description = [{
    With membrane v, threshold θ, u = v - θ, σ(x) = 1 / (1 + e^-x) and g(x; μ, s) the normal density. Parameters are
    given in this order; trailing ones may be left out for their standard values.

    | kind, parameters | derivative | is |
    | --- | --- | --- |
    | `fast_sigmoid` k = 25, `superspike` k = 10 | 1 / (1 + k abs(u))² | snnTorch `fast_sigmoid`, Norse `super` (k = 100), Spyx `superspike` |
    | `atan` α = 2 | (α/2) / (1 + (π/2 α u)²) | snnTorch `atan`, SpikingJelly `ATan` |
    | `soft_sign` α = 2 | (α/2) / (1 + α abs(u))² | SpikingJelly `SoftSign` |
    | `inverse_square` α = 1 | α / (1 + abs(u))² | SpikingJelly `SuperSpike` |
    | `sparse_fast_sigmoid` k = 25, B = 1 | fast_sigmoid where u > B, else 0 | snnTorch `SFS` |
    | `sigmoid` k = 25 | k σ(k u) (1 - σ(k u)) | snnTorch `sigmoid`, SpikingJelly `Sigmoid` (k = 4) |
    | `triangular` a = 1 | a where u < 0, else -a | snnTorch `triangular` |
    | `straight_through` | 1 | snnTorch `straight_through_estimator`, SpikingJelly `DeterministicPass` |
    | `heaviside` | 1 where the neuron fires, else 0 | snnTorch `heaviside` |
    | `shifted_heaviside` w = 1 | 1/θ where v ≥ θ - w, else 0 | sinabs `Heaviside` |
    | `spike_rate_escape` β = 1, k = 25 | k e^(-β abs(u - 1)) | snnTorch `spike_rate_escape` |
    | `leaky` l = 0.1, k = 1 | k where the neuron fires, else l | snnTorch `LSO`, SpikingJelly `LeakyKReLU` (l = 0) |
    | `piecewise_quadratic` α = 1 | α - α² abs(u) where abs(u) ≤ 1/α, else 0 | SpikingJelly `PiecewiseQuadratic` |
    | `piecewise_exp` α = 1 | α/2 e^(-α abs(u)) | SpikingJelly `PiecewiseExp` |
    | `erf` α = 2 | α/√π e^(-α² u²) | SpikingJelly `Erf` |
    | `heavi_erfc` k = 1 | 2/√π e^(-k² u²) | Norse `heavi_erfc` |
    | `heavi_tanh` k = 1 | 1 - tanh(k u)² | Norse `tanh` |
    | `heavi_circ` α = 1 | α³ / (u² + α²)^1.5 | Norse `circ` |
    | `triangle` α = 0.3 | α max(0, 1 - abs(u)) | Norse `triangle` |
    | `piecewise_leaky_relu` w = 1, c = 0.01 | 1/(2w) where abs(u) < w, else c | SpikingJelly `PiecewiseLeakyReLU` |
    | `rect` α = 1 | α where abs(u) < 0.5/α, else 0 | SpikingJelly `Rect` |
    | `nonzero_sign_log_abs` α = 1 | 1 / (1/α + abs(u)) | SpikingJelly `NonzeroSignLogAbs` |
    | `s2nn` α = 4, β = 1 | α σ(α u) (1 - σ(α u)) where u < 0, else β / (u + 1) | SpikingJelly `S2NN` |
    | `q_pseudo_spike` α = 2 | (1 + 2 abs(u) / (α - 1))^-α | SpikingJelly `QPseudoSpike` |
    | `fake_numerical_gradient` α = 0.3 | min(1 / abs(u), α) | SpikingJelly `FakeNumericalGradient` |
    | `log_tailed_relu` α = 0 | α where u ≤ 0, 1 where u ≤ 1, else 1/u | SpikingJelly `LogTailedReLU` |
    | `single_exponential` w = 0.5, s = 1 | s / (w θ) e^(-abs(u) / (w θ)) | sinabs `SingleExponential` |
    | `periodic_exponential` w = 0.5, s = 1 | s/θ e^(-abs(y - θ/2) / w), y = v - θ/2, less floor(y/θ) where v ≥ θ | sinabs `PeriodicExponential` |
    | `gaussian` s = 0.5, a = 1 | a g(u; 0, s) | sinabs `Gaussian` (μ = 0) |
    | `multi_gaussian` s = 0.5, h = 0.15, r = 6, a = 1 | a ((1 + h) g(u; 0, s) - h (g(u; s, r s) + g(u; -s, r s))) | sinabs `MultiGaussian` (μ = 0) |

    Factors that do not depend on u are rounded once from double; every other operation is rounded by itself.

    Example: `#snn.surrogate<fast_sigmoid, 25.0>`
  }];
  let parameters = (ins EnumParameter<SNN_SurrogateKind>:$kind, "::mlir::DenseF64ArrayAttr":$values);
  let assemblyFormat = "`<` $kind `` custom<Numbers>($values) `>`";
  let genVerifyDecl = 1;
  let builders = [AttrBuilder<(ins "SurrogateKind":$kind, "::llvm::ArrayRef<double>":$parameters), [{
    return $_get($_ctxt, kind, ::mlir::DenseF64ArrayAttr::get($_ctxt, parameters));
  }]>];
  let extraClassDeclaration = [{
    /// The parameters that are given.
    ::llvm::ArrayRef<double> getParameters() const { return getValues().asArrayRef(); }
    /// Parameter i, given or standard.
    double getParameter(unsigned i) const;
  }];
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
