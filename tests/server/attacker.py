"""Many connections from many addresses, each of which sends a beginning and then little.

    attacker.py HOST PORT COUNT SECONDS    beginning and drop come as two lines of hex; prints what
                                           became of the connections, as JSON

An attack that is over at once is made again each second: what it does to others takes time to
measure.

A process of its own that gives way to all others, see `wire.give_way`.
"""

import json
import resource
import selectors
import socket
import sys
import time

from wire import give_way

ADDRESSES = 25
AT_LEAST_S = 5


class Attack:
    """The connections that are open, and what was seen of those that are not."""

    def __init__(self, host: str, port: int, count: int, beginning: bytes, drop: bytes) -> None:
        self.selector, self.drop = selectors.DefaultSelector(), drop
        self.opened: dict[socket.socket, float] = {}
        self.longest = 0.0
        self.most = self.refused = 0
        self.answers: list[bytes] = []
        for number in range(count):
            stream = socket.socket()
            try:
                stream.bind((f"127.0.0.{2 + number % ADDRESSES}", 0))
                stream.settimeout(10)
                stream.connect((host, port))
                stream.send(beginning)
                stream.setblocking(False)
            except OSError:
                self.refused += 1
                stream.close()
                continue
            self.opened[stream] = time.monotonic()
            self.most = max(self.most, len(self.opened))
            self.selector.register(stream, selectors.EVENT_READ)
            if number % 200 == 0:
                self.look(0)

    def look(self, wait_s: float) -> None:
        """Takes note of what the server closed or answered."""
        for key, _ in self.selector.select(wait_s):
            stream = key.fileobj
            try:
                said = stream.recv(65536)
            except OSError:
                said = b""
            if said:
                self.answers.append(said[:12])
                continue
            self.gone(stream)

    def gone(self, stream: socket.socket) -> None:
        began = self.opened.pop(stream)
        self.longest = max(self.longest, time.monotonic() - began)
        self.selector.unregister(stream)
        stream.close()

    def go_on(self, limit_s: float) -> None:
        """Sends a drop on each now and then until all are closed."""
        limit = time.monotonic() + limit_s
        while self.opened and time.monotonic() < limit:
            self.look(0.5)
            for stream in list(self.opened):
                try:
                    stream.send(self.drop)
                except BlockingIOError:
                    pass
                except OSError:
                    self.gone(stream)
        self.look(0)


def report(attacks: list[Attack]) -> dict:
    answers = {answer.decode("ascii", "replace") for attack in attacks for answer in attack.answers}
    return {"attacks": len(attacks), "refused": sum(attack.refused for attack in attacks),
            "most": max(attack.most for attack in attacks),
            "left": sum(len(attack.opened) for attack in attacks),
            "longest_s": max(attack.longest for attack in attacks), "answers": sorted(answers)}


def main(host: str, port: int, count: int, seconds: float) -> None:
    give_way()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    beginning, drop = (bytes.fromhex(sys.stdin.readline()) for _ in range(2))
    attacks, until = [], time.monotonic() + AT_LEAST_S
    while not attacks or time.monotonic() < until:
        again = time.monotonic() + 1
        attacks.append(Attack(host, port, count, beginning, drop))
        attacks[-1].go_on(seconds)
        time.sleep(max(0, again - time.monotonic()))
    print(json.dumps(report(attacks)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
