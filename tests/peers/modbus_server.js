/**
 * A battery inverter with Modbus TCP, on modbus-serial's ServerTCP.
 *
 *   node modbus_server.js '{"log": "wire.jsonl", "port": 0, "unit": 1}'
 *
 * Prints one line {"ready": PORT} when it listens, takes commands as JSON lines on stdin (see
 * `commands` below) and answers each with its front panel. Ends with its stdin. `log` is appended
 * to, a JSON line per request and per change of the set pair, written before the answer leaves.
 */
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const { ServerTCP } = require("modbus-serial");

const settings = {
  port: 0, // any that is free
  unit: 1,
  log: "wire.jsonl",
  capacityKwh: 100,
  socPct: 50,
  rampWPerS: 20_000,
  ratedW: 60_000,
  watchdogS: 60, // without a new heartbeat the set pair becomes the fallback
  fallbackW: 0, // charging positive
  speed: 1, // of the physics; the watchdog is real time
  ...JSON.parse(process.argv[2] ?? "{}"),
};

const EFFICIENCY = 0.96; // one way
const TICK_MS = 50;
const MODEL = 802;
const STATES = { IDLE: 0, CHARGING: 1, DISCHARGING: 2, FAULTED: 3 };
const ILLEGAL_FUNCTION = 1;
const ILLEGAL_ADDRESS = 2;
const ILLEGAL_VALUE = 3;

// --- wire log

const logFile = fs.openSync(settings.log, "a");

function log(entry) {
  fs.writeSync(logFile, `${JSON.stringify({ t: new Date().toISOString(), ...entry })}\n`);
}

// --- the battery

const battery = {
  chargeW: Math.max(0, settings.fallbackW),
  dischargeW: Math.max(0, -settings.fallbackW),
  signed: [0, 0], // both words of register 22, which nothing in here obeys
  powerW: 0,
  socPct: settings.socPct,
  heartbeat: 0,
  faulted: false,
  aliveAt: performance.now(),
  held: false, // whether somebody else's pair is in force, so that the watchdog runs
};

function setPair(chargeW, dischargeW, by) {
  Object.assign(battery, { chargeW, dischargeW });
  log({ kind: "pair", charge_w: chargeW, discharge_w: dischargeW, by });
}

function target() {
  const { faulted, chargeW, dischargeW, socPct } = battery;
  const contradicts = chargeW > 0 && dischargeW > 0;
  const full = chargeW > 0 && socPct >= 100;
  const empty = dischargeW > 0 && socPct <= 0;
  return faulted || contradicts || full || empty ? 0 : chargeW - dischargeW;
}

function state() {
  if (battery.faulted) return "FAULTED";
  if (battery.powerW === 0) return "IDLE";
  return battery.powerW > 0 ? "CHARGING" : "DISCHARGING";
}

function tick() {
  const seconds = (TICK_MS / 1000) * settings.speed;
  const step = settings.rampWPerS * seconds;
  const away = target() - battery.powerW;
  battery.powerW += Math.max(-step, Math.min(step, away));
  const intoCells = battery.powerW > 0 ? EFFICIENCY : 1 / EFFICIENCY;
  const kwh = (battery.powerW * intoCells * seconds) / 3_600_000;
  const socPct = battery.socPct + (100 * kwh) / settings.capacityKwh;
  battery.socPct = Math.max(0, Math.min(100, socPct));
  if (battery.held && performance.now() - battery.aliveAt > settings.watchdogS * 1000) {
    battery.held = false;
    setPair(Math.max(0, settings.fallbackW), Math.max(0, -settings.fallbackW), "watchdog");
  }
}

/** The first pair starts the watchdog; only a heartbeat that differs from the last keeps it off. */
function hold(chargeW, dischargeW) {
  if (!battery.held) battery.aliveAt = performance.now();
  battery.held = true;
  setPair(chargeW, dischargeW, "write");
}

function beat(value) {
  if (value !== battery.heartbeat) battery.aliveAt = performance.now();
  battery.heartbeat = value;
}

// --- the register table: holding registers by protocol address

const high = (value) => (Math.round(value) >> 16) & 0xffff;
const low = (value) => Math.round(value) & 0xffff;

const registers = new Map([
  [0, { read: () => MODEL }],
  [10, { read: () => Math.round(battery.socPct * 10) }],
  [11, { read: () => STATES[state()] }],
  [12, { read: () => high(battery.powerW) }],
  [13, { read: () => low(battery.powerW) }],
  [20, { read: () => battery.chargeW, write: (w) => hold(w, battery.dischargeW), rated: true }],
  [21, { read: () => battery.dischargeW, write: (w) => hold(battery.chargeW, w), rated: true }],
  [22, { read: () => battery.signed[0], write: (w) => (battery.signed[0] = w) }],
  [23, { read: () => battery.signed[1], write: (w) => (battery.signed[1] = w) }],
  [30, { read: () => battery.heartbeat, write: beat }],
]);

function refusal(code) {
  return Object.assign(new Error(`exception ${code}`), { modbusErrorCode: code });
}

function readAll(address, count) {
  const wanted = Array.from({ length: count }, (_, place) => registers.get(address + place));
  if (wanted.some((register) => register === undefined)) throw refusal(ILLEGAL_ADDRESS);
  return wanted.map((register) => register.read());
}

function writeAll(address, values) {
  if (manners.refuseCode !== null) throw refusal(manners.refuseCode);
  const wanted = values.map((_, place) => registers.get(address + place));
  if (wanted.some((register) => register?.write === undefined)) throw refusal(ILLEGAL_ADDRESS);
  if (wanted.some((register, place) => register.rated && values[place] > settings.ratedW)) {
    throw refusal(ILLEGAL_VALUE);
  }
  wanted.forEach((register, place) => register.write(values[place]));
}

// --- requests

const manners = { refuseCode: null, deafUntil: 0, deafTo: ["read", "write"], obeys: false };
const NEVER = new Promise(() => {});

/** Serve one request and log it; a deaf device gives `silence` back, and obeys if it is so set. */
function serve(request, work, silence) {
  const deaf = performance.now() < manners.deafUntil && manners.deafTo.includes(request.kind);
  if (deaf && !manners.obeys) {
    log({ ...request, answered: false });
    return silence;
  }
  try {
    const answer = work();
    log({ ...request, ...(answer && { values: answer }), answered: !deaf });
    return deaf ? silence : answer;
  } catch (error) {
    log({ ...request, exception: error.modbusErrorCode ?? 4, answered: !deaf });
    if (deaf) return silence;
    throw error;
  }
}

function read(address, count) {
  const request = { kind: "read", function: 3, address, count };
  return serve(request, () => readAll(address, count), Array(count).fill(NEVER));
}

function write(code, address, values) {
  const request = { kind: "write", function: code, address, values };
  return serve(request, () => writeAll(address, values), NEVER);
}

function refuseFunction() {
  throw refusal(ILLEGAL_FUNCTION);
}

const vector = {
  getHoldingRegister: (address) => read(address, 1)[0],
  getMultipleHoldingRegisters: (address, count) => read(address, count),
  setRegister: (address, value) => write(6, address, [value]),
  setRegisterArray: (address, values) => write(16, address, values),
  getInputRegister: refuseFunction,
  getCoil: refuseFunction,
  getDiscreteInput: refuseFunction,
  setCoil: refuseFunction,
};

// --- the service port: commands on stdin

const commands = {
  fault: ({ on }) => (battery.faulted = on),
  refuse: ({ code }) => (manners.refuseCode = code), // of every write; null: no more
  deaf: ({ seconds, to, obeys }) =>
    Object.assign(manners, { deafUntil: performance.now() + seconds * 1000, deafTo: to, obeys }),
  hang_up: () => server.socks.forEach((_, socket) => socket.destroy()),
  panel: () => {},
};

function panel() {
  const { chargeW, dischargeW, powerW, socPct, heartbeat } = battery;
  const pair = { charge_w: chargeW, discharge_w: dischargeW };
  return { ...pair, power_w: powerW, soc_pct: socPct, heartbeat, state: state() };
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

setPair(battery.chargeW, battery.dischargeW, "power_on");
setInterval(tick, TICK_MS);

// As text, since ServerTCP takes the number 0 for "not given".
const port = `${settings.port}`;
const server = new ServerTCP(vector, { host: "127.0.0.1", port, unitID: settings.unit });
server.on("initialized", () => say({ ready: server._server.address().port }));
server.on("socketError", () => {}); // a client that went away
server.on("serverError", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const command = JSON.parse(line);
  commands[command.do](command);
  say(panel());
});
lines.on("close", () => process.exit(0));
