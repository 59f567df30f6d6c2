/**
 * A charge point with OCPP 1.6-J. How it is run and what it prints: `wire.js`.
 *
 * Manners: "shy" never says Preparing or Finishing, and has only Charging in between; "silent" says
 * Available, whatever happens; "no_return" does not say Available when it is back in service;
 * "only_power" takes watts alone; "second_start" accepts a remote start during a transaction;
 * "forgetful" has no profiles after a reset; "chatty" tells much that nobody asked for.
 */
"use strict";

const { createRPCError } = require("ocpp-rpc");
const { Profiles } = require("./smart.js");
const { settings, has, clientOf, connect, hangUp, run, now } = require("./wire.js");

const TICK_MS = 100;
const MAX_COMPOSITE_S = 86_400;
const REBOOT_MS = 500;

// --- the station

const keys = {
  HeartbeatInterval: 300,
  MeterValueSampleInterval: 30,
  ConnectionTimeOut: 60,
  NumberOfConnectors: settings.connectors,
  ChargeProfileMaxStackLevel: 20,
  ChargingScheduleAllowedChargingRateUnit: has("only_power") ? "Power" : "Current,Power",
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
  finished: false, // a transaction has ended since the vehicle came
  transaction: null, // { id, startedAt, idTag }
  pending: false, // a StartTransaction is on its way
  told: null,
  meterWh: 1_000 * (index + 1),
  powerW: 0,
  sampledAt: 0,
}));
const profiles = new Profiles(settings.ratedW, settings.voltage);
let booted = false;

const connectorOf = (id) => connectors.find((one) => one.id === id);

function status(one) {
  if (one.faulted) return "Faulted";
  if (!one.operative && one.transaction === null) return "Unavailable";
  if (one.transaction !== null) return limitOf(one) > 0 ? "Charging" : "SuspendedEVSE";
  if (!one.plugged) return "Available";
  return one.finished ? "Finishing" : "Preparing";
}

/** What it says of a status, in its own manner; null is nothing. */
function toldOf(next, last) {
  if (has("silent")) return "Available";
  if (has("no_return") && last === "Unavailable") return null;
  if (!has("shy")) return next;
  return { Preparing: "Available", Finishing: "Available", SuspendedEVSE: "Charging" }[next] ?? next;
}

// --- charging profiles (OCPP 1.6, 3.13 Smart Charging)

const PURPOSES = { ChargePointMaxProfile: "max", TxDefaultProfile: "default", TxProfile: "tx" };
const limitOf = (one) => profiles.limitAt(one, Date.now());

function setProfile(connectorId, body) {
  const { chargingSchedule: schedule } = body;
  if (has("only_power") && schedule.chargingRateUnit !== "W") return "Rejected";
  const profile = {
    place: connectorId,
    id: body.chargingProfileId,
    level: body.stackLevel,
    purpose: PURPOSES[body.chargingProfilePurpose],
    kind: body.chargingProfileKind,
    recurrency: body.recurrencyKind,
    from: body.validFrom,
    to: body.validTo,
    transaction: body.transactionId,
    schedule,
  };
  return profiles.put(profile, connectorOf(connectorId)) ? "Accepted" : "Rejected";
}

function clearProfiles({ id, connectorId, chargingProfilePurpose, stackLevel }) {
  const fits = (one) =>
    id !== undefined
      ? one.id === id
      : (connectorId === undefined || one.place === connectorId) &&
        (chargingProfilePurpose === undefined || one.purpose === PURPOSES[chargingProfilePurpose]) &&
        (stackLevel === undefined || one.level === stackLevel);
  return profiles.drop(fits) ? "Accepted" : "Unknown";
}

function compositeSchedule({ connectorId, duration, chargingRateUnit = "W" }) {
  const one = connectorOf(connectorId);
  if (one === undefined) return { status: "Rejected" };
  const start = Math.floor(Date.now() / 1_000) * 1_000;
  const lengthS = Math.min(duration, MAX_COMPOSITE_S);
  const chargingSchedulePeriod = profiles.composite(one, start, lengthS, chargingRateUnit);
  return {
    status: "Accepted",
    connectorId,
    scheduleStart: new Date(start).toISOString(),
    chargingSchedule: { duration: lengthS, chargingRateUnit, chargingSchedulePeriod },
  };
}

// --- what it says

const client = clientOf("ocpp1.6");

/** Say something, if there is somebody; a charge point lives on when nobody listens. */
async function say(action, payload) {
  try {
    return await client.call(action, payload);
  } catch (error) {
    console.error(`${action}: ${error.message}`);
    return null;
  }
}

async function sayStatus(one) {
  const last = one.told;
  const next = (one.told = status(one));
  const told = toldOf(next, last);
  if (told === null) return;
  const errorCode = one.faulted ? "GroundFailure" : "NoError";
  await say("StatusNotification", { connectorId: one.id, errorCode, status: told, timestamp: now() });
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
  if (has("chatty")) await chat();
}

/** What charge points tell of themselves, beside what they charge. */
async function chat() {
  await say("DiagnosticsStatusNotification", { status: "Idle" });
  await say("FirmwareStatusNotification", { status: "Installed" });
  await say("DataTransfer", { vendorId: "com.example", messageId: "greeting", data: "hello" });
  await say("Authorize", { idTag: settings.idTag });
  await say("Heartbeat", {});
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
  one.finished = true;
  one.powerW = 0;
  profiles.endTransaction(one.id);
  one.operative = one.wanted;
  const meterStop = Math.round(one.meterWh);
  await say("StopTransaction", { transactionId: id, idTag, meterStop, timestamp: now(), reason });
  await sayStatus(one);
}

/** Go down and come up again: what runs is ended and said, then there is a boot as after a loss of power. */
async function reboot(reason) {
  await Promise.all(connectors.filter((one) => one.transaction !== null).map((one) => stop(one, reason)));
  booted = false;
  for (const one of connectors) one.finished = false;
  if (has("forgetful")) profiles.drop(() => true);
  await client.close({ code: 1000 }).catch(() => undefined);
  setTimeout(() => connect(client), REBOOT_MS);
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
    if (has("second_start") && one?.transaction) return { status: "Accepted" };
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
  Reset({ type }) {
    setImmediate(() => void reboot(`${type}Reset`));
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
    one.powerW = live ? limitOf(one) : 0;
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
    Object.assign(connectorOf(connector), { plugged: true, finished: false });
  },
  swipe: ({ connector }) => void start(connectorOf(connector), settings.idTag),
  unplug: ({ connector }) => {
    const one = connectorOf(connector);
    Object.assign(one, { plugged: false, finished: false });
    if (one.transaction !== null) void stop(one, "EVDisconnected");
  },
  fault: ({ connector, on }) => {
    connectorOf(connector).faulted = on;
  },
  hang_up: () => hangUp(client),
};

run(client, commands, () =>
  connectors.map((one) => ({
    id: one.id,
    status: status(one),
    limit_w: limitOf(one),
    power_w: one.powerW,
    transaction_id: one.transaction === null ? null : String(one.transaction.id),
    operative: one.operative,
  })),
);
