//! Memory of a GPU: what the runtime's allocator holds, and what the driver says.

use bk_harness::memory::{AllocatorReading, MemoryProbe};
use cubecl::Runtime;
use cubecl::client::ComputeClient;
use cubecl::stream_id::StreamId;

/// Reads the allocator of the stream of the thread that made it. The runtime keeps memory by streams, and
/// a stream by threads, so that a reader on another thread would find its own, which is empty.
pub(super) struct AllocatorProbe<R: Runtime> {
    client: ComputeClient<R>,
}

impl<R: Runtime> AllocatorProbe<R> {
    /// For the thread that calls.
    pub(super) fn of_this_thread(client: &ComputeClient<R>) -> Self {
        let mut client = client.clone();
        // SAFETY: the client only reads counters; it allocates and launches nothing on that stream.
        unsafe { client.set_stream(StreamId::current()) };
        Self { client }
    }
}

impl<R: Runtime> MemoryProbe for AllocatorProbe<R> {
    fn read(&mut self) -> Option<AllocatorReading> {
        let usage = self.client.memory_usage().ok()?;
        Some(AllocatorReading { in_use: usage.bytes_in_use, reserved: usage.bytes_reserved })
    }
}

/// The management library of NVIDIA's driver, which sees the memory of a card whichever interface took it.
pub(super) struct Nvml {
    library: nvml_wrapper::Nvml,
    index: u32,
}

impl Nvml {
    /// The card called `name`: the only one of that name, or the first that this process may use. `None`
    /// where there is no such library or card.
    pub(super) fn of_device(name: &str) -> Option<Self> {
        let library = nvml_wrapper::Nvml::init().ok()?;
        let count = library.device_count().ok()?;
        let named = |index: &u32| {
            let found = library.device_by_index(*index).and_then(|device| device.name());
            found.is_ok_and(|found| found == name)
        };
        let first = std::env::var("CUDA_VISIBLE_DEVICES").ok();
        let first = first.and_then(|list| list.split(',').next()?.trim().parse().ok());
        let index = first.filter(named).or_else(|| (0..count).find(named))?;
        Some(Self { library, index })
    }

    /// Bytes that are taken on the card, by whatever program.
    pub(super) fn bytes_taken(&self) -> Option<u64> {
        Some(self.library.device_by_index(self.index).ok()?.memory_info().ok()?.used)
    }
}
