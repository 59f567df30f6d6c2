/**
 * The battery of `battery.js` on modbus-serial's ServerTCP, with all the trouble that it can make.
 *
 * Beside what the battery does, its commands on stdin have it refuse, go deaf and hang up.
 */
"use strict";

const { ServerTCP } = require("modbus-serial");
const { log, ready, registers, settings, switchOn } = require("./battery");

const ILLEGAL_FUNCTION = 1;
const ILLEGAL_ADDRESS = 2;
const ILLEGAL_VALUE = 3;

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

// --- the server

// As text, since ServerTCP takes the number 0 for "not given".
const port = `${settings.port}`;
const server = new ServerTCP(vector, { host: "127.0.0.1", port, unitID: settings.unit });
server.on("initialized", () => ready(server._server.address().port));
server.on("socketError", () => {}); // a client that went away
server.on("serverError", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});

switchOn({
  refuse: ({ code }) => (manners.refuseCode = code), // of every write; null: no more
  deaf: ({ seconds, to, obeys }) =>
    Object.assign(manners, { deafUntil: performance.now() + seconds * 1000, deafTo: to, obeys }),
  hang_up: () => server.socks.forEach((_, socket) => socket.destroy()),
});
