"""A lamp post for tests, on whichever loop it is started: a real or a simulated one."""

import asyncio
import contextlib

from lamppost import LamppostOptions


class SimulatedLamppost:
    """Holds what it is sent, and behaves as it is told."""

    def __init__(self, port=0):
        """Be off."""
        self.port, self.watts, self.sets, self.manner = port, 0, 0, "answer"
        self.server, self.writers = None, set()

    async def start(self):
        """Listen, at the same port each time."""
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        return LamppostOptions("127.0.0.1", self.port)

    def behave(self, manner):
        """Treat SET in a manner: ``answer``, ``refuse``, ``silence`` or ``hang_up``."""
        self.manner = manner

    def received(self):
        """Return how many SETs have come."""
        return self.sets

    async def stop(self):
        """Be off, with all connections."""
        self.server.close()
        for writer in self.writers:
            writer.close()

    async def serve(self, reader, writer):
        """Answer line by line."""
        self.writers.add(writer)
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            while line := await reader.readline():
                answer = self.answer(*line.split())
                if answer is not None:
                    writer.write(answer)
                elif self.manner == "hang_up":
                    break

    def answer(self, word, *rest):
        """Return the answer to a line; none for silence."""
        if word == b"GET":
            return b"IS %d\n" % self.watts
        self.sets += 1
        if self.manner == "refuse":
            return b"NO I would rather not\n"
        if self.manner != "answer":
            return None
        self.watts = int(rest[0])
        return b"OK %d\n" % self.watts
