// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Transfers, their plans and costs as JSON.
#include "spikeloom/Problem/Exchange.h"
#include "spikeloom/Support/JsonFields.h"

using namespace spikeloom;
using nlohmann::json;

namespace {

const std::vector<std::string> &kinds() {
  static const std::vector<std::string> words = {"whole", "blocks", "units"};
  return words;
}

json toJson(const Distribution &side) {
  json result = {{"kind", kinds()[size_t(side.kind)]}, {"firstTile", side.firstTile}, {"tiles", side.tiles}};
  if (side.kind == Distribution::Kind::blocks)
    result["columnBlocks"] = side.columnBlocks;
  if (side.kind == Distribution::Kind::units) {
    result["perTile"] = side.perTile;
    result["group"] = side.group;
  }
  return result;
}

void readSide(JsonFields &fields, const std::string &name, Distribution &side) {
  fields.nested(name, [&](JsonFields &object) {
    object.word("kind", side.kind, kinds());
    object.integer("firstTile", side.firstTile, 0);
    object.integer("tiles", side.tiles, 1);
    if (side.kind == Distribution::Kind::blocks)
      object.integer("columnBlocks", side.columnBlocks, 1);
    if (side.kind == Distribution::Kind::units) {
      object.integer("perTile", side.perTile, 1);
      object.integer("group", side.group, 1);
    }
  });
}

} // namespace

Result<Transfer> spikeloom::transferFromJson(const json &json, const std::string &where) {
  Transfer transfer;
  JsonFields fields(json, where);
  fields.string("name", transfer.name);
  fields.integer("rows", transfer.rows, 1);
  fields.integer("columns", transfer.columns, 1);
  fields.integer("elementBytes", transfer.elementBytes, 1);
  fields.integer("steps", transfer.steps, 1);
  readSide(fields, "from", transfer.from);
  readSide(fields, "to", transfer.to);
  if (std::optional<std::string> problem = fields.finish())
    return Error{*problem};
  return transfer;
}

json spikeloom::toJson(const Transfer &transfer) {
  return {{"name", transfer.name},       {"rows", transfer.rows},
          {"columns", transfer.columns}, {"elementBytes", transfer.elementBytes},
          {"steps", transfer.steps},     {"from", ::toJson(transfer.from)},
          {"to", ::toJson(transfer.to)}};
}

Result<TransferPlan> spikeloom::transferPlanFromJson(const json &json, const std::string &where) {
  TransferPlan plan;
  JsonFields fields(json, where);
  fields.objects("pieces", [&](JsonFields &object) {
    ExchangePiece piece;
    object.integer("from", piece.from, 0);
    object.integer("fromOffset", piece.fromOffset, 0);
    object.integer("to", piece.to, everyReceiver);
    object.integer("toOffset", piece.toOffset, 0);
    object.integer("bytes", piece.bytes, 1);
    plan.pieces.push_back(piece);
  });
  fields.integer("receivedBytes", plan.receivedBytes, 0);
  fields.integer("sentBytes", plan.sentBytes, 0);
  fields.integer("receivedPieces", plan.receivedPieces, 0);
  fields.integer("sentPieces", plan.sentPieces, 0);
  fields.integer("codeBytes", plan.codeBytes, 0);
  fields.integer("totalBytes", plan.totalBytes, 0);
  fields.integer("externalBytes", plan.externalBytes, 0);
  fields.boolean("shared", plan.shared);
  fields.boolean("arrangedBefore", plan.arrangedBefore);
  fields.boolean("arrangedAfter", plan.arrangedAfter);
  fields.number("receiveCycles", plan.receiveCycles, 0);
  fields.number("sendCycles", plan.sendCycles, 0);
  fields.number("arrangementCycles", plan.arrangementCycles, 0);
  if (std::optional<std::string> problem = fields.finish())
    return Error{*problem};
  return plan;
}

json spikeloom::toJson(const TransferPlan &plan) {
  json pieces = json::array();
  for (const ExchangePiece &piece : plan.pieces)
    pieces.push_back({{"from", piece.from},
                      {"fromOffset", piece.fromOffset},
                      {"to", piece.to},
                      {"toOffset", piece.toOffset},
                      {"bytes", piece.bytes}});
  return {{"pieces", pieces},
          {"receivedBytes", plan.receivedBytes},
          {"sentBytes", plan.sentBytes},
          {"receivedPieces", plan.receivedPieces},
          {"sentPieces", plan.sentPieces},
          {"codeBytes", plan.codeBytes},
          {"totalBytes", plan.totalBytes},
          {"externalBytes", plan.externalBytes},
          {"shared", plan.shared},
          {"arrangedBefore", plan.arrangedBefore},
          {"arrangedAfter", plan.arrangedAfter},
          {"receiveCycles", plan.receiveCycles},
          {"sendCycles", plan.sendCycles},
          {"arrangementCycles", plan.arrangementCycles}};
}

json spikeloom::toJson(const ExchangeCost &cost) {
  return {{"cycles", cost.cycles},
          {"arrangementCycles", cost.arrangementCycles},
          {"linkCycles", cost.linkCycles},
          {"receivedBytesMax", cost.receivedBytesMax},
          {"sentBytesMax", cost.sentBytesMax},
          {"codeBytesMax", cost.codeBytesMax},
          {"totalBytes", cost.totalBytes}};
}
