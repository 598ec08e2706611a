"""What PyTorch and Triton share: tensors on a device, its facts, its clock, a delay, the rate of a copy."""

import time

from bkpeer import Engine, cpu_name


class TorchEngine(Engine):
    """Inputs as tensors; a subclass defines `compute(tensors) -> [B, N, 2]`."""

    def __init__(self, need_cuda: bool):
        global torch
        import torch

        from bkpeer import Unavailable

        self.gpu = torch.cuda.is_available()
        if need_cuda and not self.gpu:
            raise Unavailable("PyTorch finds no CUDA device here")
        self.on = torch.device("cuda" if self.gpu else "cpu")
        self.cycles_a_second = None
        self.rate = None

    def device(self):
        if not self.gpu:
            return {"name": cpu_name(), "runtime": "pytorch on cpu"}
        facts = torch.cuda.get_device_properties(self.on)
        return {
            "name": facts.name,
            "runtime": f"cuda {torch.version.cuda}",
            "multiprocessors": facts.multi_processor_count,
            "memory_bytes": facts.total_memory,
            "l2_bytes": facts.L2_cache_size,
            "plane_size": facts.warp_size,
        }

    def versions(self):
        return {"torch": torch.__version__}

    def compute(self, tensors: dict):
        raise NotImplementedError

    def prepare(self, inputs, sets):
        self.result, self.outputs = None, [None] * sets
        self.inputs = [{name: torch.tensor(array).to(self.on) for name, array in inputs.items()}
                       for _ in range(sets)]

    def launch(self, index):
        # Kept until the set comes again, so that outputs rotate over memory as inputs do.
        self.outputs[index] = self.result = self.compute(self.inputs[index])

    def synchronize(self):
        if self.gpu:
            torch.cuda.synchronize()

    def output(self):
        return self.result.cpu().numpy()

    def queue_delay(self, seconds):
        if not self.gpu:
            return False
        if self.cycles_a_second is None:
            self.cycles_a_second = self._cycles_a_second()
        torch.cuda._sleep(int(seconds * self.cycles_a_second))
        return True

    def device_seconds(self, index):
        """CUDA events around one launch, which is issued while a delay keeps the device busy."""
        if not self.gpu:
            return None
        self.synchronize()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.queue_delay(self._issue_seconds(index))
        start.record()
        self.launch(index)
        end.record()
        self.synchronize()
        return start.elapsed_time(end) * 1e-3

    def copy_rate(self):
        if self.gpu and self.rate is None:
            self.rate = self._copy_rate()
        return self.rate

    def _issue_seconds(self, index):
        start = time.perf_counter()
        self.launch(index)
        issued = time.perf_counter() - start
        self.synchronize()
        return 2.0 * issued + 1e-4

    def _cycles_a_second(self):
        cycles = 20_000_000
        torch.cuda._sleep(1000)
        self.synchronize()
        start = time.perf_counter()
        torch.cuda._sleep(cycles)
        self.synchronize()
        return cycles / (time.perf_counter() - start)

    def _copy_rate(self):
        """Median of ten copies of 256 MiB, behind a delay."""
        source = torch.ones(64 << 20, device=self.on)
        target = torch.empty_like(source)
        times = []
        for _ in range(10):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            self.queue_delay(1e-3)
            start.record()
            target.copy_(source)
            end.record()
            self.synchronize()
            times.append(start.elapsed_time(end) * 1e-3)
        return 2 * source.nbytes / sorted(times)[len(times) // 2]
