//! One connection of a client, and the one to the broker that stands behind it.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::exchange::{Frame, UnderWay};
use super::names::Names;
use super::trouble::{Passage, Trouble, Voyage};

/// Answers on their way to a client. Behind them the broker waits, as behind a full window.
const ON_THEIR_WAY_MAX: usize = 64;
/// Into so many pieces an answer is cut, and so long one comes after another.
const PIECES: usize = 5;
const BETWEEN_PIECES: Duration = Duration::from_millis(20);
const NO_PANIC: &str = "no holder of this lock panics";

pub(super) struct Link<'a> {
    client: TcpStream,
    broker: TcpStream,
    names: &'a Names,
    trouble: &'a Trouble,
    under_way: Mutex<UnderWay>,
    is_broken: Mutex<bool>,
    broke: Condvar,
}

/// An answer, when it arrives, and how.
struct Sent {
    answer: Frame,
    arrives: Instant,
    voyage: Voyage,
}

impl<'a> Link<'a> {
    pub(super) fn new(client: TcpStream, broker: TcpStream, names: &'a Names, trouble: &'a Trouble) -> Self {
        let (under_way, is_broken, broke) = Default::default();
        Self { client, broker, names, trouble, under_way, is_broken, broke }
    }

    /// Passes frames on until either side ends. That closes the other, too; a connection that broke
    /// is reset when both are dropped here.
    pub(super) fn run(self) {
        for side in [&self.client, &self.broker] {
            // Or small frames would wait for each other, which is no fault of the network.
            side.set_nodelay(true).ok();
        }
        let (sender, on_their_way) = sync_channel(ON_THEIR_WAY_MAX);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                // A connection ends with an error or without: what is left to do is the same.
                self.pass_requests().ok();
                shut(&self.broker, Shutdown::Both);
            });
            threads.spawn(|| self.send_answers(sender).ok());
            self.deliver(on_their_way).ok();
            shut(&self.broker, Shutdown::Both);
            if !self.is_broken() {
                shut(&self.client, Shutdown::Both);
            }
        });
    }

    fn pass_requests(&self) -> io::Result<()> {
        while let Some(request) = Frame::read(&self.client)? {
            let passage = self.trouble.of_request();
            if passage == Passage::BrokenBefore {
                return self.break_off();
            }
            self.under_way.lock().expect(NO_PANIC).ask(&request);
            (&self.broker).write_all(&request.0)?;
            if passage == Passage::BrokenAfter {
                return self.break_off();
            }
        }
        Ok(())
    }

    /// Takes answers from the broker as they come, so that one that is late delays no other that
    /// would have been later still.
    fn send_answers(&self, on_their_way: SyncSender<Sent>) -> io::Result<()> {
        let mut arrives = Instant::now();
        while let Some(answer) = Frame::read(&self.broker)? {
            let asked = self.under_way.lock().expect(NO_PANIC).answered(&answer);
            let Some(voyage) = self.trouble.of_answer(asked.map(|asked| asked.key)) else {
                return self.break_off();
            };
            let changed = match asked {
                Some(asked) => self.names.change(answer, asked),
                None => Ok(answer),
            };
            let answer = match changed {
                Ok(answer) => answer,
                Err(failure) => {
                    self.trouble.fail(failure);
                    return self.break_off();
                }
            };
            arrives = arrives.max(Instant::now() + voyage.delay);
            if on_their_way.send(Sent { answer, arrives, voyage }).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn deliver(&self, on_their_way: Receiver<Sent>) -> io::Result<()> {
        for Sent { answer, arrives, voyage } in on_their_way {
            if self.breaks_before(arrives) {
                break;
            }
            if !voyage.in_pieces {
                (&self.client).write_all(&answer.0)?;
                continue;
            }
            for piece in answer.0.chunks(answer.0.len().div_ceil(PIECES)) {
                (&self.client).write_all(piece)?;
                if self.breaks_before(Instant::now() + BETWEEN_PIECES) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The client is about to be reset: what it has not read yet it never reads. The broker sees an
    /// end after the last request, and does what it was asked.
    fn break_off(&self) -> io::Result<()> {
        *self.is_broken.lock().expect(NO_PANIC) = true;
        self.broke.notify_all();
        // Closed with data unsent, or with none, a socket that does not linger is reset.
        rustix::net::sockopt::set_socket_linger(&self.client, Some(Duration::ZERO))?;
        // Wakes who reads from it. The client notices nothing of this.
        shut(&self.client, Shutdown::Read);
        shut(&self.broker, Shutdown::Both);
        Ok(())
    }

    fn is_broken(&self) -> bool {
        *self.is_broken.lock().expect(NO_PANIC)
    }

    /// Waits until then; less long if the connection breaks.
    fn breaks_before(&self, then: Instant) -> bool {
        let is_broken = self.is_broken.lock().expect(NO_PANIC);
        let left = then.saturating_duration_since(Instant::now());
        let waited = self.broke.wait_timeout_while(is_broken, left, |is_broken| !*is_broken);
        *waited.expect(NO_PANIC).0
    }
}

/// One that is shut already needs no more of it.
fn shut(stream: &TcpStream, how: Shutdown) {
    stream.shutdown(how).ok();
}
