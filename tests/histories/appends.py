"""Isolation of transactions that append to lists and read them, by the graph of their dependencies (Adya's anomalies; the
idea of lists is that of Kingsbury and Alvaro, "Elle", VLDB 2020).

A transaction is {"ops": [["append", key, element], ["r", key, [elements]]], "call": time, "return": time, "status": "ok",
"aborted" or "unknown"}. Elements are unique for a key. Strong snapshot isolation is demanded: what ended before another
transaction began is visible to it."""

import collections

G0, G1A, G1B, G1C, G_SINGLE = "G0", "G1a", "G1b", "G1c", "G-single"
INTERNAL, ORDER, DUPLICATE, LOST = "internal", "incompatible-order", "duplicate", "lost"


def check(history, final=None):
    """A list of (anomaly, explanation). `final` is what the lists hold after everything: {key: elements}."""
    return _Checker(history, final).run()


class _Checker:
    def __init__(self, history, final):
        self.history = history
        self.final = final
        self.anomalies = []
        self.writer = {}  # (key, element) to transaction
        self.last_of = {}  # (transaction, key) to its last element
        for number, transaction in enumerate(history):
            for op in transaction["ops"]:
                if op[0] == "append":
                    self.writer[op[1], op[2]] = number
                    self.last_of[number, op[1]] = op[2]

    def run(self):
        for number, transaction in enumerate(self.history):
            if transaction["status"] == "ok":
                self._check_inside(number, transaction["ops"])
        orders = self._version_orders()
        self._check_lost(orders)
        self._check_cycles(orders)
        return self.anomalies

    def _found(self, anomaly, explanation):
        self.anomalies.append((anomaly, explanation))

    def _reads(self):
        """(transaction, key, elements before its own appends), of those that committed."""
        for number, transaction in enumerate(self.history):
            if transaction["status"] != "ok":
                continue
            own = collections.Counter()
            for op in transaction["ops"]:
                if op[0] == "append":
                    own[op[1]] += 1
                else:
                    yield number, op[1], op[2][:len(op[2]) - own[op[1]]] if own[op[1]] else op[2]

    def _check_inside(self, number, ops):
        """A transaction sees its own appends, and otherwise the same state at each read."""
        expected, own = {}, collections.defaultdict(list)
        for op in ops:
            kind, key = op[0], op[1]
            if kind == "append":
                own[key].append(op[2])
                continue
            base = op[2][:len(op[2]) - len(own[key])] if own[key] else op[2]
            if own[key] and op[2][len(base):] != own[key]:
                self._found(INTERNAL, f"transaction {number} reads {key} = {op[2]} after appending {own[key]}")
            elif key in expected and expected[key] != base:
                self._found(INTERNAL, f"transaction {number} reads {key} as {expected[key]}, then as {base}")
            expected.setdefault(key, base)

    def _version_orders(self):
        longest = {key: list(elements) for key, elements in (self.final or {}).items()}
        reads = list(self._reads())
        for _, key, elements in reads:
            if len(elements) > len(longest.get(key, [])):
                longest[key] = elements
        for number, key, elements in reads:
            if longest.get(key, [])[:len(elements)] != elements:
                self._found(ORDER, f"transaction {number} reads {key} = {elements}, another one {longest[key]}")
            if elements:
                self._check_read(number, key, elements)
        for key, elements in longest.items():
            if len(set(elements)) != len(elements):
                self._found(DUPLICATE, f"{key} = {elements}")
        return longest

    def _check_read(self, number, key, elements):
        for element in elements:
            writer = self.writer.get((key, element))
            if writer is None or self.history[writer]["status"] == "aborted":
                self._found(G1A, f"transaction {number} reads {element} in {key}, which was never committed")
        writer = self.writer.get((key, elements[-1]))
        if writer is not None and writer != number and self.last_of[writer, key] != elements[-1]:
            self._found(G1B, f"transaction {number} reads {key} in the middle of transaction {writer}")

    def _check_lost(self, orders):
        if self.final is None:
            return
        for (key, element), writer in self.writer.items():
            status = self.history[writer]["status"]
            if status == "ok" and element not in self.final.get(key, []):
                self._found(LOST, f"{element} in {key} of transaction {writer}")
            if status == "aborted" and element in self.final.get(key, []):
                self._found(G1A, f"{key} ends with {element} of the aborted transaction {writer}")

    # ---- cycles

    def _check_cycles(self, orders):
        ww, wr, rw = set(), set(), set()
        for key, elements in orders.items():
            writers = [self.writer.get((key, element)) for element in elements]
            for before, after in zip(writers, writers[1:]):
                if None not in (before, after) and before != after:
                    ww.add((before, after))
        for number, key, elements in self._reads():
            order = orders.get(key, [])
            if elements and self.writer.get((key, elements[-1])) not in (None, number):
                wr.add((self.writer[key, elements[-1]], number))
            if len(elements) < len(order):
                following = self.writer.get((key, order[len(elements)]))
                if following not in (None, number):
                    rw.add((number, following))
        time = self._time_edges()
        self._report_cycle(G0, ww | time, ww)
        self._report_cycle(G1C, ww | wr | time, wr)
        if self.anomalies:
            return
        strong = _graph(ww | wr | time)
        for reader, writer in sorted(rw):
            # Without cycles so far nothing that began after the reader ended leads back to it.
            end = self.history[reader]["return"]
            path = _path(strong, writer, reader, lambda number: self.history[number]["call"] <= end)
            if path:
                self._found(G_SINGLE, f"{reader} did not see {writer}, which comes before it: {path}")

    def _time_edges(self):
        """Of those that ended before another began, without what follows from others."""
        events = []
        for number, transaction in enumerate(self.history):
            if transaction["status"] != "aborted":
                events.append((transaction["call"], 1, number))
            if transaction["status"] == "ok":
                events.append((transaction["return"], 0, number))
        edges, newest = set(), set()
        began_behind = {}
        for _, is_call, number in sorted(events):
            if is_call:
                began_behind[number] = set(newest)
                edges.update((before, number) for before in newest)
            else:
                newest -= began_behind[number]
                newest.add(number)
        return edges

    def _report_cycle(self, anomaly, edges, wanted):
        """One cycle that holds one of the wanted edges."""
        graph = _graph(edges)
        component = _components(graph)
        for before, after in sorted(wanted):
            if component[before] == component[after]:
                path = _path(graph, after, before, lambda number: component[number] == component[after])
                self._found(anomaly, f"cycle {path + [after]}")
                return


def _graph(edges):
    graph = collections.defaultdict(list)
    for before, after in edges:
        graph[before].append(after)
    return graph


def _components(graph):
    """Node to a number of its strongly connected component (Tarjan, without recursion)."""
    index, low, component, stack = {}, {}, {}, []
    nodes = set(graph) | {after for following in graph.values() for after in following}
    for root in nodes:
        if root in index:
            continue
        work = [(root, iter(graph.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, following = work[-1]
            for after in following:
                if after not in index:
                    index[after] = low[after] = len(index)
                    stack.append(after)
                    work.append((after, iter(graph.get(after, ()))))
                    break
                if after not in component:
                    low[node] = min(low[node], index[after])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    while True:
                        member = stack.pop()
                        component[member] = index[node]
                        if member == node:
                            break
    return component


def _path(graph, start, end, is_allowed):
    """The transactions on a shortest way over allowed ones, or None."""
    previous = {start: None}
    queue = collections.deque([start])
    while queue:
        at = queue.popleft()
        if at == end:
            path = []
            while at is not None:
                path.append(at)
                at = previous[at]
            return path[::-1]
        for following in graph.get(at, ()):
            if following not in previous and is_allowed(following):
                previous[following] = at
                queue.append(following)
    return None
