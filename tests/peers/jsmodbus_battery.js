/**
 * The battery of `battery.js` on jsmodbus's server, which keeps registers in a buffer of its own.
 *
 * The library answers by itself, for every unit and whatever is written: what is in between the
 * registers is zero, and of a read beyond the last one it gives what is there. The program looks on
 * before each answer: it fills the buffer, and obeys.
 */
"use strict";

const net = require("node:net");
const modbus = require("jsmodbus");
const { log, ready, registers, settings, switchOn } = require("./battery");

const holding = Buffer.alloc(2 * (Math.max(...registers.keys()) + 1));
const none = Buffer.alloc(0);

function fill() {
  registers.forEach(({ read }, address) => holding.writeUInt16BE(read(), 2 * address));
}

function obey(code, address, values) {
  values.forEach((value, place) => registers.get(address + place)?.write?.(value));
  log({ kind: "write", function: code, address, values, answered: true });
}

const listener = net.createServer();
const server = new modbus.server.TCP(listener, {
  holding,
  input: none,
  coils: none,
  discrete: none,
});
server.on("preReadHoldingRegisters", ({ body: { start, count } }) => {
  fill();
  const words = holding.subarray(2 * start, 2 * (start + count));
  const values = Array.from({ length: words.length / 2 }, (_, place) => words.readUInt16BE(2 * place));
  log({ kind: "read", function: 3, address: start, count, values, answered: true });
});
server.on("preWriteSingleRegister", ({ body }) => obey(6, body.address, [body.value]));
server.on("preWriteMultipleRegisters", ({ body }) => obey(16, body.address, body.valuesAsArray));

const sockets = new Set();
listener.on("connection", (socket) => {
  sockets.add(socket);
  socket.on("error", () => {}); // a client that went away
  socket.on("close", () => sockets.delete(socket));
});

switchOn({ hang_up: () => sockets.forEach((socket) => socket.destroy()) });
listener.listen(settings.port, "127.0.0.1", () => ready(listener.address().port));
