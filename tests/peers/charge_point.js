/**
 * A charge point with OCPP 1.6-J, on ocpp-rpc's client in strict mode: every message of either side
 * is checked against the standard's JSON schemas.
 *
 *   node charge_point.js '{"url": "ws://127.0.0.1:9000", "identity": "CP-1", "log": "wire.jsonl"}'
 *
 * Prints one line {"ready": true} when it runs, takes commands as JSON lines on stdin (see
 * `commands` below) and answers each with its front panel. Ends with its stdin. `log` is appended
 * to: a JSON line per frame, written before the frame is acted on.
 */
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const { RPCClient, createRPCError } = require("ocpp-rpc");

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
  ...JSON.parse(process.argv[2] ?? "{}"),
};

const TICK_MS = 100;
const DAY_S = 86_400;
const MAX_COMPOSITE_S = DAY_S;
const FRAME_KINDS = { 2: "call", 3: "result", 4: "error" };

// --- wire log

const logFile = fs.openSync(settings.log, "a");

function log(text, outbound) {
  const [type, id, ...rest] = JSON.parse(text);
  const [action, payload] = type === 2 ? rest : [null, rest.at(-1)];
  const entry = { direction: outbound ? "out" : "in", kind: FRAME_KINDS[type], id, action, payload };
  fs.writeSync(logFile, `${JSON.stringify({ t: new Date().toISOString(), ...entry })}\n`);
}

// --- the station

const keys = {
  HeartbeatInterval: 300,
  MeterValueSampleInterval: 30,
  ConnectionTimeOut: 60,
  NumberOfConnectors: settings.connectors,
  ChargeProfileMaxStackLevel: 20,
  ChargingScheduleAllowedChargingRateUnit: "Current,Power",
  ChargingScheduleMaxPeriods: 24,
  MaxChargingProfilesInstalled: 40,
};
const READ_ONLY = new Set([
  "NumberOfConnectors",
  "ChargeProfileMaxStackLevel",
  "ChargingScheduleAllowedChargingRateUnit",
  "ChargingScheduleMaxPeriods",
  "MaxChargingProfilesInstalled",
]);

const connectors = Array.from({ length: settings.connectors }, (_, index) => ({
  id: index + 1,
  plugged: settings.plugged.includes(index + 1),
  operative: true,
  wanted: true, // what it will be when its transaction is over
  faulted: false,
  transaction: null, // { id, startedAt, idTag }
  pending: false, // a StartTransaction is on its way
  told: null,
  meterWh: 1_000 * (index + 1),
  powerW: 0,
  sampledAt: 0,
}));
let profiles = []; // { connectorId, ...csChargingProfiles }
let booted = false;

const connectorOf = (id) => connectors.find((one) => one.id === id);

function status(one) {
  if (one.faulted) return "Faulted";
  if (!one.operative && one.transaction === null) return "Unavailable";
  if (one.transaction !== null) return limitAt(one, Date.now()) > 0 ? "Charging" : "SuspendedEVSE";
  return one.plugged ? "Preparing" : "Available";
}

// --- charging profiles (OCPP 1.6, 3.13 Smart Charging)

const isSetByTransaction = (profile) => profile.chargingProfilePurpose === "TxProfile";

function beginOf(profile, one, now) {
  const { startSchedule } = profile.chargingSchedule;
  switch (profile.chargingProfileKind) {
    case "Relative":
      return one.transaction?.startedAt ?? now;
    case "Recurring": {
      const stepS = profile.recurrencyKind === "Weekly" ? 7 * DAY_S : DAY_S;
      const first = Date.parse(startSchedule);
      return first + Math.floor((now - first) / (1_000 * stepS)) * 1_000 * stepS;
    }
    default:
      return startSchedule === undefined ? (one.transaction?.startedAt ?? now) : Date.parse(startSchedule);
  }
}

/** What a profile allows at a moment, in watts; null where it says nothing. */
function allowed(profile, one, now) {
  const { validFrom, validTo, chargingSchedule: schedule } = profile;
  if (validFrom !== undefined && now < Date.parse(validFrom)) return null;
  if (validTo !== undefined && now >= Date.parse(validTo)) return null;
  const elapsedS = (now - beginOf(profile, one, now)) / 1_000;
  if (elapsedS < 0 || (schedule.duration !== undefined && elapsedS >= schedule.duration)) return null;
  const period = schedule.chargingSchedulePeriod.findLast((each) => each.startPeriod <= elapsedS);
  if (period === undefined) return null;
  if (schedule.chargingRateUnit === "W") return period.limit;
  return period.limit * settings.voltage * (period.numberPhases ?? 3);
}

function leading(purpose, connectorIds, one, now) {
  for (const connectorId of connectorIds) {
    const found = profiles
      .filter((each) => each.chargingProfilePurpose === purpose && each.connectorId === connectorId)
      .sort((a, b) => b.stackLevel - a.stackLevel);
    for (const profile of found) {
      const watts = allowed(profile, one, now);
      if (watts !== null) return watts;
    }
  }
  return null;
}

function limitAt(one, now) {
  let own = one.transaction === null ? null : leading("TxProfile", [one.id], one, now);
  own ??= leading("TxDefaultProfile", [one.id, 0], one, now);
  const whole = leading("ChargePointMaxProfile", [0], one, now);
  return Math.min(settings.ratedW, own ?? Infinity, whole ?? Infinity);
}

function setProfile(connectorId, profile) {
  if (isSetByTransaction(profile)) {
    const transaction = connectorOf(connectorId)?.transaction ?? null;
    if (transaction === null) return "Rejected";
    if (profile.transactionId !== undefined && profile.transactionId !== transaction.id) return "Rejected";
  }
  if (profile.chargingProfilePurpose === "ChargePointMaxProfile" && connectorId !== 0) return "Rejected";
  const replaces = (old) =>
    old.chargingProfileId === profile.chargingProfileId ||
    (old.connectorId === connectorId &&
      old.stackLevel === profile.stackLevel &&
      old.chargingProfilePurpose === profile.chargingProfilePurpose);
  profiles = [...profiles.filter((old) => !replaces(old)), { connectorId, ...profile }];
  return "Accepted";
}

function clearProfiles({ id, connectorId, chargingProfilePurpose, stackLevel }) {
  const fits = (one) =>
    id !== undefined
      ? one.chargingProfileId === id
      : (connectorId === undefined || one.connectorId === connectorId) &&
        (chargingProfilePurpose === undefined || one.chargingProfilePurpose === chargingProfilePurpose) &&
        (stackLevel === undefined || one.stackLevel === stackLevel);
  const kept = profiles.filter((one) => !fits(one));
  const found = kept.length < profiles.length;
  profiles = kept;
  return found ? "Accepted" : "Unknown";
}

function compositeSchedule({ connectorId, duration, chargingRateUnit = "W" }) {
  const one = connectorOf(connectorId);
  if (one === undefined) return { status: "Rejected" };
  const start = Math.floor(Date.now() / 1_000) * 1_000;
  const lengthS = Math.min(duration, MAX_COMPOSITE_S);
  const scale = chargingRateUnit === "W" ? 1 : 3 * settings.voltage;
  const periods = [];
  for (let second = 0; second < lengthS; second += 1) {
    const limit = Math.round((limitAt(one, start + 1_000 * second) / scale) * 10) / 10;
    if (periods.at(-1)?.limit !== limit) periods.push({ startPeriod: second, limit });
  }
  return {
    status: "Accepted",
    connectorId,
    scheduleStart: new Date(start).toISOString(),
    chargingSchedule: { duration: lengthS, chargingRateUnit, chargingSchedulePeriod: periods },
  };
}

// --- what it says

const client = new RPCClient({
  endpoint: settings.url,
  identity: settings.identity,
  password: settings.password,
  protocols: ["ocpp1.6"],
  strictMode: true,
  backoff: { initialDelay: 200, maxDelay: 1_000, factor: 1.5 },
  callTimeoutMs: 10_000,
});
client.on("message", ({ message, outbound }) => log(String(message), outbound));
client.on("strictValidationFailure", ({ error }) => console.error(`schema: ${error.message} ${JSON.stringify(error.details)}`));

/** Say something, if there is somebody; a charge point lives on when nobody listens. */
async function say(action, payload) {
  try {
    return await client.call(action, payload);
  } catch (error) {
    console.error(`${action}: ${error.message}`);
    return null;
  }
}

const now = () => new Date().toISOString();

async function sayStatus(one) {
  const next = status(one);
  one.told = next;
  const errorCode = one.faulted ? "GroundFailure" : "NoError";
  await say("StatusNotification", { connectorId: one.id, errorCode, status: next, timestamp: now() });
}

async function boot() {
  const answer = await say("BootNotification", {
    chargePointVendor: "Other",
    chargePointModel: "Node-2",
    firmwareVersion: "1.0.7",
  });
  if (answer === null || answer.status !== "Accepted") {
    setTimeout(boot, 1_000 * Math.max(1, answer?.interval ?? 5)).unref();
    return;
  }
  keys.HeartbeatInterval = answer.interval || keys.HeartbeatInterval;
  booted = true;
  await announce();
}

async function announce() {
  await say("StatusNotification", { connectorId: 0, errorCode: "NoError", status: "Available", timestamp: now() });
  for (const one of connectors) await sayStatus(one);
}

client.on("open", () => void (booted ? announce() : boot()));

async function start(one, idTag) {
  one.pending = true;
  const answer = await say("StartTransaction", {
    connectorId: one.id,
    idTag,
    meterStart: Math.round(one.meterWh),
    timestamp: now(),
  });
  one.pending = false;
  if (answer?.idTagInfo.status === "Accepted") {
    one.transaction = { id: answer.transactionId, startedAt: Date.now(), idTag };
  }
  await sayStatus(one);
}

async function stop(one, reason) {
  const { id, idTag } = one.transaction;
  one.transaction = null;
  one.powerW = 0;
  profiles = profiles.filter((each) => !(isSetByTransaction(each) && each.connectorId === one.id));
  one.operative = one.wanted;
  const meterStop = Math.round(one.meterWh);
  await say("StopTransaction", { transactionId: id, idTag, meterStop, timestamp: now(), reason });
  await sayStatus(one);
}

async function sample(one) {
  one.sampledAt = Date.now();
  const context = { context: "Sample.Periodic" };
  await say("MeterValues", {
    connectorId: one.id,
    transactionId: one.transaction.id,
    meterValue: [
      {
        timestamp: now(),
        sampledValue: [
          { ...context, value: one.powerW.toFixed(1), measurand: "Power.Active.Import", unit: "W" },
          { ...context, value: one.meterWh.toFixed(0), measurand: "Energy.Active.Import.Register", unit: "Wh" },
        ],
      },
    ],
  });
}

// --- what it is told

const handlers = {
  SetChargingProfile: ({ connectorId, csChargingProfiles }) => ({
    status: setProfile(connectorId, csChargingProfiles),
  }),
  ClearChargingProfile: (wanted) => ({ status: clearProfiles(wanted) }),
  GetCompositeSchedule: compositeSchedule,
  RemoteStartTransaction({ connectorId, idTag }) {
    const free = (one) => one.plugged && one.operative && !one.faulted && one.transaction === null && !one.pending;
    const one = connectorId === undefined ? connectors.find(free) : connectorOf(connectorId);
    if (one === undefined || !free(one)) return { status: "Rejected" };
    setImmediate(() => void start(one, idTag));
    return { status: "Accepted" };
  },
  RemoteStopTransaction({ transactionId }) {
    const one = connectors.find((each) => each.transaction?.id === transactionId);
    if (one === undefined) return { status: "Rejected" };
    setImmediate(() => void stop(one, "Remote"));
    return { status: "Accepted" };
  },
  ChangeAvailability({ connectorId, type }) {
    const chosen = connectors.filter((one) => connectorId === 0 || one.id === connectorId);
    if (chosen.length === 0) return { status: "Rejected" };
    let waits = false;
    for (const one of chosen) {
      one.wanted = type === "Operative";
      if (one.transaction !== null && !one.wanted) waits = true;
      else one.operative = one.wanted;
      setImmediate(() => void sayStatus(one));
    }
    return { status: waits ? "Scheduled" : "Accepted" };
  },
  TriggerMessage({ requestedMessage, connectorId }) {
    const chosen = connectors.filter((one) => connectorId === undefined || one.id === connectorId);
    const jobs = {
      BootNotification: () => boot(),
      Heartbeat: () => say("Heartbeat", {}),
      StatusNotification: () => Promise.all(chosen.map(sayStatus)),
      MeterValues: () => Promise.all(chosen.filter((one) => one.transaction !== null).map(sample)),
    };
    const job = jobs[requestedMessage];
    if (job === undefined) return { status: "NotImplemented" };
    setImmediate(() => void job());
    return { status: "Accepted" };
  },
  GetConfiguration({ key: wanted }) {
    const names = wanted === undefined || wanted.length === 0 ? Object.keys(keys) : wanted;
    return {
      configurationKey: names
        .filter((name) => name in keys)
        .map((key) => ({ key, readonly: READ_ONLY.has(key), value: String(keys[key]) })),
      unknownKey: names.filter((name) => !(name in keys)),
    };
  },
  ChangeConfiguration({ key, value }) {
    if (!(key in keys)) return { status: "NotSupported" };
    if (READ_ONLY.has(key) || !/^\d+$/.test(value)) return { status: "Rejected" };
    keys[key] = Number(value);
    return { status: "Accepted" };
  },
  UnlockConnector: () => ({ status: "NotSupported" }),
  DataTransfer: () => ({ status: "UnknownVendorId" }),
};
for (const [action, handler] of Object.entries(handlers)) {
  client.handle(action, ({ params }) => handler(params));
}
client.handle(({ method }) => {
  throw createRPCError("NotImplemented", `${method} is not known here`);
});

// --- time passes

let beatAt = Date.now();

setInterval(() => {
  for (const one of connectors) {
    const live = one.transaction !== null && !one.faulted;
    one.powerW = live ? limitAt(one, Date.now()) : 0;
    one.meterWh += (one.powerW * TICK_MS) / 3_600_000;
    if (!booted) continue;
    if (status(one) !== one.told && !one.pending) void sayStatus(one);
    if (live && Date.now() - one.sampledAt >= 1_000 * keys.MeterValueSampleInterval) void sample(one);
  }
  if (booted && Date.now() - beatAt >= 1_000 * keys.HeartbeatInterval) {
    beatAt = Date.now();
    void say("Heartbeat", {});
  }
}, TICK_MS).unref();

// --- at the station itself

const commands = {
  panel: () => {},
  plug: ({ connector }) => {
    connectorOf(connector).plugged = true;
  },
  swipe: ({ connector }) => void start(connectorOf(connector), settings.idTag),
  unplug: ({ connector }) => {
    const one = connectorOf(connector);
    one.plugged = false;
    if (one.transaction !== null) void stop(one, "EVDisconnected");
  },
  fault: ({ connector, on }) => {
    connectorOf(connector).faulted = on;
  },
  // The connection breaks as it does when a mobile network goes: the client comes back by itself.
  hang_up: () => client._ws?.terminate(),
};

const panel = () => ({
  online: client.state === RPCClient.OPEN,
  connectors: connectors.map((one) => ({
    id: one.id,
    status: status(one),
    limit_w: limitAt(one, Date.now()),
    power_w: one.powerW,
    transaction_id: one.transaction?.id ?? null,
    operative: one.operative,
  })),
});

const input = readline.createInterface({ input: process.stdin });
input.on("line", (line) => {
  const { do: what, ...more } = JSON.parse(line);
  commands[what](more);
  console.log(JSON.stringify(panel()));
});
input.on("close", () => process.exit(0));

/** The first connection is ours to try again; after that the client comes back by itself. */
function connect() {
  client.connect().catch((error) => {
    console.error(`no connection yet: ${error.message}`);
    setTimeout(connect, 200);
  });
}

connect();
console.log(JSON.stringify({ ready: true }));
