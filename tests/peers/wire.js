/**
 * What the Node stations have in common: their settings, ocpp-rpc's client in strict mode (every
 * message of either side is checked against the standard's JSON schemas), the wire log, and the
 * commands on stdin.
 *
 *   node STATION.js '{"url": "ws://127.0.0.1:9000", "identity": "CP-1", "log": "wire.jsonl"}'
 *
 * A station prints one line {"ready": true} when it runs, takes commands as JSON lines on stdin and
 * answers each with its front panel. It ends with its stdin. `log` is appended to: a JSON line per
 * frame, written before the frame is acted on.
 */
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const { RPCClient } = require("ocpp-rpc");

const settings = {
  url: "ws://127.0.0.1:9000",
  identity: "CP-1",
  password: undefined,
  connectors: 1,
  plugged: [], // connectors with a vehicle from the start
  log: "wire.jsonl",
  ratedW: 22_080,
  voltage: 230,
  idTag: "NODE-TAG",
  manners: [], // what this station does in its own way; each station says which there are
  ...JSON.parse(process.argv[2] ?? "{}"),
};

const has = (manner) => settings.manners.includes(manner);

const FRAME_KINDS = { 2: "call", 3: "result", 4: "error" };
const logFile = fs.openSync(settings.log, "a");

function log(text, outbound) {
  const [type, id, ...rest] = JSON.parse(text);
  const [action, payload] = type === 2 ? rest : [null, rest.at(-1)];
  const entry = { direction: outbound ? "out" : "in", kind: FRAME_KINDS[type], id, action, payload };
  fs.writeSync(logFile, `${JSON.stringify({ t: new Date().toISOString(), ...entry })}\n`);
}

/** A client of one version. */
function clientOf(protocol) {
  const client = new RPCClient({
    endpoint: settings.url,
    identity: settings.identity,
    password: settings.password,
    protocols: [protocol],
    strictMode: true,
    backoff: { initialDelay: 200, maxDelay: 1_000, factor: 1.5 },
    callTimeoutMs: 10_000,
  });
  client.on("message", ({ message, outbound }) => log(String(message), outbound));
  client.on("strictValidationFailure", ({ error }) =>
    console.error(`schema: ${error.message} ${JSON.stringify(error.details)}`),
  );
  return client;
}

/** The first connection is ours to try again; after that the client comes back by itself. */
function connect(client) {
  client.connect().catch((error) => {
    console.error(`no connection yet: ${error.message}`);
    setTimeout(() => connect(client), 200);
  });
}

/** The connection breaks as it does when a mobile network goes: the client comes back by itself. */
const hangUp = (client) => client._ws?.terminate();

const isOpen = (client) => client.state === RPCClient.OPEN;

/** Begin: take commands, and connect. */
function run(client, commands, panel) {
  const input = readline.createInterface({ input: process.stdin });
  input.on("line", (line) => {
    const { do: what, ...more } = JSON.parse(line);
    commands[what](more);
    console.log(JSON.stringify({ online: isOpen(client), connectors: panel() }));
  });
  input.on("close", () => process.exit(0));
  connect(client);
  console.log(JSON.stringify({ ready: true }));
}

const now = () => new Date().toISOString();

module.exports = { settings, has, clientOf, connect, hangUp, isOpen, run, now };
