"""The engine's side of the worker protocol of bkbench, version 2.

`bkbench schema protocol` prints the messages as a JSON Schema; `crates/bk-harness/src/protocol.rs` explains
them. A program calls `serve` with a function that opens its engine:

    class MyEngine(Engine): ...
    serve("my-library", MyEngine)

bkbench hands over the inputs of a case in a file, proves the output that comes back, and only then asks for
times. What is not installed here is told as `unavailable`, which bkbench takes for a skip.
"""

import argparse
import json
import os
import platform
import sys
import time
import traceback

PROTOCOL_VERSION = 2


class Unavailable(Exception):
    """This machine lacks what the engine needs; the text says what, and how to get it."""


class Skip(Exception):
    """The engine does not take this case; the text says why."""


class Engine:
    """A way to compute `[(T - zI)^-1]_ii`. All methods are called from one thread."""

    #: Whether it runs on a GPU.
    gpu = False
    #: Bytes of one input set with its output; set before `prepare`.
    set_bytes = 0

    def device(self) -> dict:
        """Facts for the hello; `name` and `runtime` at least. Unknown ones are left out, never guessed."""
        raise NotImplementedError

    def versions(self) -> dict:
        """Package to version, of what computes."""
        raise NotImplementedError

    def prepare(self, inputs: dict, sets: int):
        """Uploads `inputs` (float32 arrays `a_re [B, N]`, maybe `a_im`, `b`, `c [B or 1, N-1]`, `z [2]`)
        `sets` times, each into memory of its own. Returns the seconds of compilation that the first launch is
        spared by it, or None."""
        raise NotImplementedError

    def launch(self, index: int) -> None:
        """Queues one execution on input set `index`; its output may take the place of an earlier one."""
        raise NotImplementedError

    def synchronize(self) -> None:
        """Waits until everything that was queued is done."""

    def output(self):
        """The output of the last launch: a float32 array `[B, N, 2]`."""
        raise NotImplementedError

    def queue_delay(self, seconds: float) -> bool:
        """Keeps the device busy for about that long; false where it cannot."""
        return False

    def device_seconds(self, index: int):
        """Seconds of one launch by the device's own clock, or None where it has none."""
        return None

    def copy_rate(self):
        """Bytes a second (read plus written) of a plain copy on the device, or None where it is not known."""
        return None


class Channel:
    """Standard output, for messages alone: whatever a library prints goes to standard error."""

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def send(self, event: str, **fields) -> None:
        # `allow_nan`: JSON has no NaN, so a time that is none must not leave here.
        self._out.write(json.dumps({"event": event, **fields}, allow_nan=False) + "\n")
        self._out.flush()

    def close(self) -> None:
        self._out.close()


def serve(name: str, open_engine) -> None:
    """Opens the engine, then answers requests until the end."""
    parser = argparse.ArgumentParser(description=f"{name} as an external engine of bkbench")
    parser.add_argument("--target", required=True, help="name of the target that it serves")
    parser.add_argument("--dtype", default="f32", help="type of its tensors")
    arguments = parser.parse_args()
    channel = Channel()
    try:
        if arguments.dtype != "f32":
            raise Unavailable(f"{name} computes in f32 here, not in {arguments.dtype}")
        import numpy  # noqa: F401  (what is missing is told before the first case)
        import safetensors.numpy  # noqa: F401

        engine = open_engine()
    except (ModuleNotFoundError, Unavailable) as missing:
        hint = "; peers/README.md says how to install it" if isinstance(missing, ModuleNotFoundError) else ""
        channel.send("unavailable", protocol=PROTOCOL_VERSION, reason=f"{missing}{hint}")
        return
    channel.send(
        "hello",
        protocol=PROTOCOL_VERSION,
        role="engine",
        engine=name,
        device=_device(arguments.target, engine),
        versions={"python": platform.python_version(), **engine.versions()},
    )
    _Cases(channel, engine).run()


class _Cases:
    """Requests, one after the other."""

    def __init__(self, channel: Channel, engine: Engine):
        self.channel = channel
        self.engine = engine
        self.case = None
        self.output = None
        self.sets = 1

    def run(self) -> None:
        handlers = {"prepare": self.prepare, "measure": self.measure}
        for line in sys.stdin:
            request = json.loads(line)
            if request["request"] == "exit":
                return
            handler = handlers.get(request["request"])
            if handler is None:
                sys.exit(f"an engine cannot be asked to `{request['request']}`")
            self.case = request["case"] if request["request"] == "prepare" else self.case
            try:
                handler(request)
            except Skip as reason:
                self.end("skipped", reason=str(reason))
            except Exception as error:
                traceback.print_exc()
                self.end("failed", error=f"{type(error).__name__}: {error}")
                # A device is in an unknown state after an error: the parent starts a fresh process.
                self.channel.close()
                sys.exit(1)

    def end(self, status: str, **why) -> None:
        self.channel.send("result", case=self.case["id"], outcome={"status": status, **why})

    def prepare(self, request: dict) -> None:
        from safetensors.numpy import load_file

        self.output, self.sets = request["output"], request["input_sets"]
        options = self.case["workload"]
        if options["max_magnitude"] is not None or options["non_finite"] != "propagate":
            raise Skip("peers neither clip nor replace values")
        inputs = load_file(request["inputs"])
        # What one launch cannot do without: each input and the output once.
        self.engine.set_bytes = sum(array.nbytes for array in inputs.values()) + 8 * inputs["a_re"].size
        compilation = self.engine.prepare(inputs, self.sets) or 0.0
        self.engine.synchronize()
        start = time.perf_counter()
        self.engine.launch(0)
        self.engine.synchronize()
        first = compilation + time.perf_counter() - start
        self.write_output()
        self.channel.send("prepared", case=self.case["id"], first_launch_seconds=first)

    def measure(self, request: dict) -> None:
        from timing import measure

        def phase(name: str) -> None:
            self.channel.send("phase", case=self.case["id"], phase=name)

        times = measure(self.engine, self.case["measure"], self.sets, phase)
        self.write_output()
        self.channel.send("sampled", case=self.case["id"], times=times)

    def write_output(self) -> None:
        import numpy
        from safetensors.numpy import save_file

        values = numpy.ascontiguousarray(self.engine.output(), dtype=numpy.float32)
        save_file({"g": values}, self.output)


def _device(target: str, engine: Engine) -> dict:
    facts = {
        "target": target,
        "class": "gpu" if engine.gpu else "cpu",
        "driver": None,
        "multiprocessors": None,
        "memory_bytes": None,
        "l2_bytes": None,
        "max_tensor_bytes": None,
        "plane_size": None,
    }
    return {**facts, **engine.device()}


def cpu_name() -> str:
    """Name of the processor as the operating system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return f"{platform.machine()} CPU"
