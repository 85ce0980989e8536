//! The threads that queries run on: enough that one query cannot hold them all, and of a lower
//! priority than those of the stages.

use tokio::runtime::{Builder, Runtime};

/// Plans are trees, and walking a deep one takes a deep stack.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// How far query threads give way, on the scale of `nice`: with a core contested, they get about a
/// thirtieth of what a thread of a stage gets.
const NICE: i32 = 15;

/// How many streams a query's plan is split into.
pub(crate) fn partitions() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().min(4))
}

/// A runtime for so many queries at a time. An operator may compute for seconds without yielding;
/// with a thread for every stream of every query, that delays nobody else's.
pub(crate) fn start(queries: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(queries.max(1) * partitions() + 1)
        .thread_stack_size(STACK_BYTES)
        .thread_name("query")
        .on_thread_start(give_way)
        .enable_all()
        .build()
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library cannot set a thread's priority")]
fn give_way() {
    // SAFETY: the call takes no pointers. On Linux, process 0 means the calling thread alone.
    let set = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
    if set != 0 {
        tracing::debug!(cause = %std::io::Error::last_os_error(), "query threads keep their priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {}
