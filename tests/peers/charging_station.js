/**
 * A charging station with OCPP 2.0.1; each EVSE has one connector. How it is run and what it
 * prints: `wire.js`. It never tells the transaction's id in the answer to RequestStartTransaction,
 * and names the EVSE only where a transaction starts.
 *
 * Manners: "no_profiles" answers SetChargingProfile with NotImplemented; "only_power" takes watts
 * alone; "second_start" accepts a remote start during a transaction; "forgetful" has no profiles
 * after a reset; "no_states" says no charging states; "cable_first" begins a transaction with the
 * vehicle, before anybody may charge; "no_return" does not say that it is back in service;
 * "chatty" tells much that nobody asked for, and puts a vendor's data into it.
 */
"use strict";

const { randomUUID } = require("node:crypto");
const { createRPCError } = require("ocpp-rpc");
const { Profiles } = require("./smart.js");
const { settings, has, clientOf, connect, hangUp, isOpen, run, now } = require("./wire.js");

const TICK_MS = 100;
const MAX_COMPOSITE_S = 86_400;
const REBOOT_MS = 500;
const REPORT_PART = 3;

// --- the device model: "Component.Variable" to value, and which can be written

const variables = {
  "OCPPCommCtrlr.HeartbeatInterval": "300",
  "SampledDataCtrlr.TxUpdatedInterval": "30",
  "TxCtrlr.EVConnectionTimeOut": "60",
  "TxCtrlr.TxStartPoint": has("cable_first") ? "EVConnected" : "PowerPathClosed",
  "TxCtrlr.TxStopPoint": "PowerPathClosed",
  "SmartChargingCtrlr.Enabled": String(!has("no_profiles")),
  "SmartChargingCtrlr.PeriodsPerSchedule": "24",
  "SmartChargingCtrlr.ProfileStackLevel": "20",
  "SmartChargingCtrlr.RateUnit": has("only_power") ? "Power" : "A,W",
};
const WRITABLE = new Set([
  "OCPPCommCtrlr.HeartbeatInterval",
  "SampledDataCtrlr.TxUpdatedInterval",
  "TxCtrlr.EVConnectionTimeOut",
]);
const seconds = (name) => Number(variables[name]);

/** The name of a variable that is asked for, or the status that says what is unknown of it. */
function lookUp({ component, variable }) {
  const own = Object.keys(variables).filter((name) => name.startsWith(`${component.name}.`));
  if (own.length === 0 || component.evse !== undefined) return { status: "UnknownComponent" };
  const name = `${component.name}.${variable.name}`;
  return own.includes(name) ? { name, status: "Accepted" } : { status: "UnknownVariable" };
}

// --- the station

const evses = Array.from({ length: settings.connectors }, (_, index) => ({
  id: index + 1,
  plugged: settings.plugged.includes(index + 1),
  operative: true,
  wanted: true, // what it will be when its transaction is over
  faulted: false,
  token: null, // who may charge here
  transaction: null, // { id, startedAt, seqNo, state, remoteStartId }
  told: null,
  meterWh: 1_000 * (index + 1),
  powerW: 0,
  sampledAt: 0,
}));
const profiles = new Profiles(settings.ratedW, settings.voltage);
let booted = false;
let bootReason = "PowerUp";

const evseOf = (id) => evses.find((one) => one.id === id);
const limitOf = (one) => profiles.limitAt(one, Date.now());
const isCharging = (one) => one.transaction !== null && one.token !== null && one.plugged && !one.faulted;

function status(one) {
  if (one.faulted) return "Faulted";
  if (!one.operative && one.transaction === null) return "Unavailable";
  return one.plugged ? "Occupied" : "Available";
}

function chargingState(one) {
  if (!one.plugged) return "Idle";
  if (!isCharging(one)) return "EVConnected";
  return limitOf(one) > 0 ? "Charging" : "SuspendedEVSE";
}

// --- what it says

const client = clientOf("ocpp2.0.1");
const queue = []; // TransactionEvents that have still to be said, in order
let draining = false;

/** Say something, if there is somebody; what is of no use later is lost. */
async function say(action, payload) {
  try {
    return await client.call(action, payload);
  } catch (error) {
    console.error(`${action}: ${error.message}`);
    return null;
  }
}

const isOnline = () => booted && isOpen(client);

/** Say what waits, one after the other; what is not answered stays. */
async function drain() {
  if (draining) return;
  draining = true;
  while (queue.length > 0 && isOnline()) {
    if ((await say("TransactionEvent", queue[0])) === null) break;
    queue.shift();
  }
  draining = false;
}

function tell(one, eventType, triggerReason, { info = {}, ...more } = {}) {
  const { transaction } = one;
  transaction.state = chargingState(one);
  const state = has("no_states") ? {} : { chargingState: transaction.state };
  queue.push({
    eventType,
    timestamp: now(),
    triggerReason,
    seqNo: transaction.seqNo++,
    ...(isOnline() ? {} : { offline: true }),
    ...(eventType === "Started" ? { evse: { id: one.id, connectorId: 1 } } : {}),
    transactionInfo: { transactionId: transaction.id, ...state, ...info },
    ...more,
  });
  void drain();
}

function meterValue(one, context) {
  const value = (measurand, value, unit) => ({ value, context, measurand, unitOfMeasure: { unit } });
  return [
    {
      timestamp: now(),
      sampledValue: [
        value("Energy.Active.Import.Register", Math.round(one.meterWh), "Wh"),
        value("Power.Active.Import", Math.round(one.powerW) / 1_000, "kW"),
      ],
    },
  ];
}

async function sayStatus(one) {
  const next = status(one);
  const isBack = has("no_return") && one.told === "Unavailable";
  one.told = next;
  if (isBack) return;
  await say("StatusNotification", { timestamp: now(), connectorStatus: next, evseId: one.id, connectorId: 1 });
}

async function boot() {
  const answer = await say("BootNotification", {
    reason: bootReason,
    chargingStation: { vendorName: "Other", model: "Node-201", firmwareVersion: "2.0.3" },
  });
  if (answer === null || answer.status !== "Accepted") {
    setTimeout(boot, 1_000 * Math.max(1, answer?.interval ?? 5)).unref();
    return;
  }
  variables["OCPPCommCtrlr.HeartbeatInterval"] = String(answer.interval || 300);
  booted = true;
  for (const one of evses) await sayStatus(one);
  for (const one of evses) begin(one);
  void drain();
  if (has("chatty")) await chat();
}

/** What stations tell of themselves, beside what they charge. */
async function chat() {
  const customData = { vendorId: "com.example", note: "hello" };
  const event = {
    eventId: 1,
    timestamp: now(),
    trigger: "Alerting",
    actualValue: "35.5",
    eventNotificationType: "HardWiredNotification",
    component: { name: "ChargingStation" },
    variable: { name: "Temperature" },
  };
  const limit = { chargingLimit: { chargingLimitSource: "EMS" }, evseId: 1 };
  await say("SecurityEventNotification", { type: "StartupOfTheDevice", timestamp: now(), customData });
  await say("NotifyEvent", { generatedAt: now(), seqNo: 0, eventData: [event], customData });
  await say("NotifyChargingLimit", limit);
  await say("ClearedChargingLimit", { chargingLimitSource: "EMS", evseId: 1 });
  await say("FirmwareStatusNotification", { status: "Idle" });
  await say("LogStatusNotification", { status: "Idle" });
  await say("DataTransfer", { vendorId: "com.example", messageId: "greeting", data: { nested: [1, 2] } });
  await say("Authorize", { idToken: { idToken: settings.idTag, type: "ISO14443" } });
}

client.on("open", () => void (booted ? drain() : boot()));

// --- transactions

function start(one, trigger, more = {}) {
  one.transaction = { id: randomUUID(), startedAt: Date.now(), seqNo: 0 };
  tell(one, "Started", trigger, { meterValue: meterValue(one, "Transaction.Begin"), ...more });
}

/** A vehicle that is there is enough for some. */
function begin(one) {
  if (has("cable_first") && one.plugged && one.transaction === null) start(one, "CablePluggedIn");
}

function permit(one, idToken, trigger, remoteStartId) {
  one.token = idToken;
  const more = { idToken, ...(remoteStartId === undefined ? {} : { info: { remoteStartId } }) };
  if (one.transaction === null) start(one, trigger, more);
  else tell(one, "Updated", trigger, more);
}

function stop(one, triggerReason, stoppedReason) {
  one.token = null;
  one.powerW = 0;
  tell(one, "Ended", triggerReason, { info: { stoppedReason }, meterValue: meterValue(one, "Transaction.End") });
  one.transaction = null;
  profiles.endTransaction(one.id);
  one.operative = one.wanted;
}

/** Go down and come up again: what runs has ended, and is told of after the boot. */
async function reboot() {
  booted = false;
  bootReason = "RemoteReset";
  for (const one of evses) if (one.transaction !== null) stop(one, "ResetCommand", "ImmediateReset");
  if (has("forgetful")) profiles.drop(() => true);
  await client.close({ code: 1000 }).catch(() => undefined);
  setTimeout(() => connect(client), REBOOT_MS);
}

// --- charging profiles

const PURPOSES = { ChargingStationMaxProfile: "max", TxDefaultProfile: "default", TxProfile: "tx" };

function setProfile(evseId, body) {
  const [schedule] = body.chargingSchedule;
  if (has("only_power") && schedule.chargingRateUnit !== "W") return "Rejected";
  if (!(body.chargingProfilePurpose in PURPOSES)) return "Rejected";
  if (evseId !== 0 && evseOf(evseId) === undefined) return "Rejected";
  const profile = {
    place: evseId,
    id: body.id,
    level: body.stackLevel,
    purpose: PURPOSES[body.chargingProfilePurpose],
    kind: body.chargingProfileKind,
    recurrency: body.recurrencyKind,
    from: body.validFrom,
    to: body.validTo,
    transaction: body.transactionId,
    schedule,
    body,
  };
  return profiles.put(profile, evseOf(evseId)) ? "Accepted" : "Rejected";
}

function clearProfiles({ chargingProfileId, chargingProfileCriteria: wanted = {} }) {
  const fits = (one) =>
    chargingProfileId !== undefined
      ? one.id === chargingProfileId
      : (wanted.evseId === undefined || one.place === wanted.evseId) &&
        (wanted.chargingProfilePurpose === undefined || one.purpose === PURPOSES[wanted.chargingProfilePurpose]) &&
        (wanted.stackLevel === undefined || one.level === wanted.stackLevel);
  return profiles.drop(fits) ? "Accepted" : "Unknown";
}

async function reportProfiles(requestId, found) {
  for (const [index, one] of found.entries()) {
    const tbc = index < found.length - 1;
    const report = { requestId, chargingLimitSource: "CSO", evseId: one.place, chargingProfile: [one.body], tbc };
    await say("ReportChargingProfiles", report);
  }
}

function compositeSchedule({ evseId, duration, chargingRateUnit = "W" }) {
  const one = evseOf(evseId);
  if (one === undefined) return { status: "Rejected" };
  const begin = Math.floor(Date.now() / 1_000) * 1_000;
  const lengthS = Math.min(duration, MAX_COMPOSITE_S);
  return {
    status: "Accepted",
    schedule: {
      evseId,
      duration: lengthS,
      scheduleStart: new Date(begin).toISOString(),
      chargingRateUnit,
      chargingSchedulePeriod: profiles.composite(one, begin, lengthS, chargingRateUnit),
    },
  };
}

// --- what it is told

const soon = (job) => void setImmediate(() => void job());

async function report(requestId) {
  const names = Object.keys(variables);
  for (let first = 0; first < names.length; first += REPORT_PART) {
    const reportData = names.slice(first, first + REPORT_PART).map((name) => {
      const [component, variable] = name.split(".");
      const mutability = WRITABLE.has(name) ? "ReadWrite" : "ReadOnly";
      return {
        component: { name: component },
        variable: { name: variable },
        variableAttribute: [{ value: variables[name], mutability }],
      };
    });
    const tbc = first + REPORT_PART < names.length;
    await say("NotifyReport", { requestId, generatedAt: now(), seqNo: first / REPORT_PART, tbc, reportData });
  }
}

const handlers = {
  SetChargingProfile({ evseId, chargingProfile }) {
    if (has("no_profiles")) throw createRPCError("NotImplemented", "no smart charging here");
    return { status: setProfile(evseId, chargingProfile) };
  },
  ClearChargingProfile: (wanted) => ({ status: clearProfiles(wanted) }),
  GetCompositeSchedule: compositeSchedule,
  GetChargingProfiles({ requestId, evseId, chargingProfile: wanted }) {
    const found = profiles.all.filter(
      (one) =>
        (evseId === undefined || one.place === evseId) &&
        (wanted.chargingProfileId === undefined || wanted.chargingProfileId.includes(one.id)),
    );
    if (found.length === 0) return { status: "NoProfiles" };
    soon(() => reportProfiles(requestId, found));
    return { status: "Accepted" };
  },
  RequestStartTransaction({ evseId, idToken, remoteStartId, chargingProfile }) {
    const free = (one) => one.plugged && one.operative && !one.faulted && one.token === null;
    const one = evseId === undefined ? evses.find(free) : evseOf(evseId);
    if (has("second_start") && one?.token) return { status: "Accepted" };
    if (one === undefined || !free(one)) return { status: "Rejected" };
    soon(() => {
      permit(one, idToken, "RemoteStart", remoteStartId);
      if (chargingProfile !== undefined) setProfile(one.id, chargingProfile);
    });
    return { status: "Accepted" };
  },
  RequestStopTransaction({ transactionId }) {
    const one = evses.find((each) => each.transaction?.id === transactionId);
    if (one === undefined) return { status: "Rejected" };
    soon(() => stop(one, "RemoteStop", "Remote"));
    return { status: "Accepted" };
  },
  GetTransactionStatus({ transactionId }) {
    const waits = queue.some(
      (event) => transactionId === undefined || event.transactionInfo.transactionId === transactionId,
    );
    if (transactionId === undefined) return { messagesInQueue: waits };
    return {
      ongoingIndicator: evses.some((one) => one.transaction?.id === transactionId),
      messagesInQueue: waits,
    };
  },
  ChangeAvailability({ operationalStatus, evse }) {
    const chosen = evses.filter((one) => evse === undefined || one.id === evse.id);
    if (chosen.length === 0) return { status: "Rejected" };
    let waits = false;
    for (const one of chosen) {
      one.wanted = operationalStatus === "Operative";
      if (one.transaction !== null && !one.wanted) waits = true;
      else one.operative = one.wanted;
    }
    return { status: waits ? "Scheduled" : "Accepted" };
  },
  TriggerMessage({ requestedMessage, evse }) {
    const chosen = evses.filter((one) => evse === undefined || one.id === evse.id);
    const running = chosen.filter((one) => one.transaction !== null);
    const jobs = {
      Heartbeat: () => say("Heartbeat", {}),
      StatusNotification: () => Promise.all(chosen.map(sayStatus)),
      MeterValues: () =>
        Promise.all(chosen.map((one) => say("MeterValues", { evseId: one.id, meterValue: meterValue(one, "Trigger") }))),
      TransactionEvent: () =>
        running.forEach((one) => tell(one, "Updated", "Trigger", { meterValue: meterValue(one, "Trigger") })),
    };
    if (requestedMessage === "BootNotification") return { status: "Rejected" };
    if (requestedMessage === "TransactionEvent" && running.length === 0) return { status: "Rejected" };
    if (!(requestedMessage in jobs)) return { status: "NotImplemented" };
    soon(jobs[requestedMessage]);
    return { status: "Accepted" };
  },
  GetVariables: ({ getVariableData }) => ({
    getVariableResult: getVariableData.map((wanted) => {
      const { name, status: attributeStatus } = lookUp(wanted);
      return { ...wanted, attributeStatus, ...(name === undefined ? {} : { attributeValue: variables[name] }) };
    }),
  }),
  SetVariables: ({ setVariableData }) => ({
    setVariableResult: setVariableData.map(({ attributeValue, ...wanted }) => {
      const { name, status: attributeStatus } = lookUp(wanted);
      if (name === undefined) return { ...wanted, attributeStatus };
      if (!WRITABLE.has(name) || !/^\d+$/.test(attributeValue)) return { ...wanted, attributeStatus: "Rejected" };
      variables[name] = attributeValue;
      return { ...wanted, attributeStatus };
    }),
  }),
  GetBaseReport({ requestId }) {
    soon(() => report(requestId));
    return { status: "Accepted" };
  },
  Reset({ type, evseId }) {
    if (evseId !== undefined) return { status: "Rejected" };
    if (type === "OnIdle" && evses.some((one) => one.transaction !== null)) return { status: "Rejected" };
    soon(reboot);
    return { status: "Accepted" };
  },
  UnlockConnector: () => ({ status: "UnlockFailed" }),
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
  for (const one of evses) {
    one.powerW = isCharging(one) ? limitOf(one) : 0;
    one.meterWh += (one.powerW * TICK_MS) / 3_600_000;
    if (status(one) !== one.told && isOnline()) void sayStatus(one);
    if (one.transaction === null) continue;
    if (one.transaction.state !== chargingState(one)) {
      if (has("no_states")) one.transaction.state = chargingState(one);
      else tell(one, "Updated", "ChargingStateChanged");
    }
    if (Date.now() - one.sampledAt >= 1_000 * seconds("SampledDataCtrlr.TxUpdatedInterval")) {
      one.sampledAt = Date.now();
      tell(one, "Updated", "MeterValuePeriodic", { meterValue: meterValue(one, "Sample.Periodic") });
    }
  }
  if (isOnline() && Date.now() - beatAt >= 1_000 * seconds("OCPPCommCtrlr.HeartbeatInterval")) {
    beatAt = Date.now();
    void say("Heartbeat", {});
  }
}, TICK_MS).unref();

// --- at the station itself

const commands = {
  panel: () => {},
  plug({ connector }) {
    const one = evseOf(connector);
    one.plugged = true;
    begin(one);
  },
  swipe: ({ connector }) => permit(evseOf(connector), { idToken: settings.idTag, type: "ISO14443" }, "Authorized"),
  unplug({ connector }) {
    const one = evseOf(connector);
    one.plugged = false;
    if (one.transaction !== null) stop(one, "EVCommunicationLost", "EVDisconnected");
  },
  fault({ connector, on }) {
    evseOf(connector).faulted = on;
  },
  hang_up: () => hangUp(client),
};

run(client, commands, () =>
  evses.map((one) => ({
    id: one.id,
    status: status(one),
    limit_w: limitOf(one),
    power_w: one.powerW,
    transaction_id: one.transaction?.id ?? null,
    operative: one.operative,
  })),
);
