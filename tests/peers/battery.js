/**
 * A battery inverter without its Modbus server: physics, registers, wire log and service port.
 *
 * What is on top of it (`modbus_serial_battery.js`, `jsmodbus_battery.js`) is started as
 *
 *   node THE_ONE.js '{"log": "wire.jsonl", "port": 0}'
 *
 * prints one line {"ready": PORT} when it listens, takes commands as JSON lines on stdin and answers
 * each with its front panel. Ends with its stdin. `log` is appended to, a JSON line per request and
 * per change of the set pair, written before the answer leaves.
 */
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");

const settings = {
  port: 0, // any that is free
  unit: 1, // where the server looks at it
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

// --- the service port: commands on stdin

function panel() {
  const { chargeW, dischargeW, powerW, socPct, heartbeat } = battery;
  const pair = { charge_w: chargeW, discharge_w: dischargeW };
  return { ...pair, power_w: powerW, soc_pct: socPct, heartbeat, state: state() };
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Switch it on. `more` is what its server does on command, beside what the battery does. */
function switchOn(more) {
  const commands = { panel: () => {}, fault: ({ on }) => (battery.faulted = on), ...more };
  setPair(battery.chargeW, battery.dischargeW, "power_on");
  setInterval(tick, TICK_MS);
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
    say(panel());
  });
  lines.on("close", () => process.exit(0));
}

/** Say that its server listens. */
const ready = (port) => say({ ready: port });

module.exports = { log, ready, registers, settings, switchOn };
