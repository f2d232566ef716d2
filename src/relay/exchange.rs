//! Relays an answer.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tideover_protocol::response::{Control, Next, ResponseScanner, Violation};

use crate::net::{Departure, PacketIo};

use super::signal::{Signal, Signals};

/// Unwritten bytes towards the client above which no more is read from the server.
const HIGH_WATER: usize = 128 * 1024;

/// What to do with a control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Pass it on as it is.
    Forward,
    /// Pass these bytes on instead: one or more whole frames.
    Replace(BytesMut),
    /// Drop it and go on.
    Swallow,
    /// Drop it and stop here: the caller decides. Whatever follows stays unread.
    Withhold,
}

/// Sees each control frame of an answer, header included.
pub trait Controls {
    /// Decides about one. `delivered` says whether the client was given anything of this answer yet.
    fn control(&mut self, control: &Control, frame: &mut [u8], delivered: bool) -> Verdict;
}

/// How far an answer went.
#[derive(Debug)]
pub enum Answer {
    /// To its end, and the client has it (or is gone: see [`Exchange::client_gone`]).
    Finished,
    /// A control frame was withheld.
    Withheld,
    /// The server wants the client's file; the request for it was passed on.
    WantsFile,
    /// A signal came. The exchange can be taken up again.
    Interrupted(Signals),
    /// The client has left, and the caller wanted to know at once.
    ClientLeft,
    /// The server did not finish.
    Lost(Lost),
}

/// Why a server did not finish its answer.
#[derive(Debug)]
pub enum Lost {
    /// End of stream or a socket error.
    Io(io::Error),
    /// It broke the protocol.
    Violation(Violation),
}

/// One answer under way. Keeps its place over interruptions.
#[derive(Debug)]
pub struct Exchange {
    scanner: ResponseScanner,
    delivered: bool,
    client_gone: bool,
    finished: bool,
    signals: Signals,
    watch_client: bool,
}

impl Exchange {
    /// Expects what `scanner` describes; stops for `signals`.
    #[must_use]
    pub fn new(scanner: ResponseScanner, signals: Signals) -> Self {
        Self { scanner, delivered: false, client_gone: false, finished: false, signals, watch_client: false }
    }

    /// Whether the client was given anything of this answer.
    #[must_use]
    pub fn delivered(&self) -> bool {
        self.delivered
    }

    /// Whether writing to the client failed. The answer is read to its end all the same.
    #[must_use]
    pub fn client_gone(&self) -> bool {
        self.client_gone
    }

    /// Whether to stop as soon as the client has left ([`Answer::ClientLeft`]): where the statement should not be left to
    /// finish.
    pub fn watch_client(&mut self, watch: bool) {
        self.watch_client = watch;
    }

    /// The number that the client expects of the next packet; `None` if it was given half a frame, after which nothing
    /// else can be sent to it.
    #[must_use]
    pub fn next_sequence(&self) -> Option<u8> {
        (!self.delivered || !self.scanner.is_amid_frame()).then(|| self.scanner.next_sequence())
    }

    /// Whether the server spoke before it read the command, which it did not run then.
    #[must_use]
    pub fn is_unsolicited(&self) -> bool {
        self.scanner.is_unsolicited()
    }

    /// The scanner, to resume after a file.
    pub fn scanner(&mut self) -> &mut ResponseScanner {
        &mut self.scanner
    }

    /// Stops for these signals from now on.
    pub fn listen_for(&mut self, signals: Signals) {
        self.signals = signals;
    }

    /// Relays until something other than bytes happens. Cancel-safe: all state is in `self` and the connections.
    pub async fn run(
        &mut self,
        client: &mut PacketIo,
        server: &mut PacketIo,
        controls: &mut impl Controls,
        signal: &Signal,
    ) -> Answer {
        if !self.finished {
            match poll_fn(|cx| self.poll_advance((client, server), controls, signal, cx)).await {
                Some(answer) => return answer,
                None => self.finished = true,
            }
        }
        if self.client_gone || client.flush().await.is_err() {
            self.client_gone = true;
        }
        Answer::Finished
    }

    /// Ready with `None` at the end of the answer.
    fn poll_advance(
        &mut self,
        (client, server): (&mut PacketIo, &mut PacketIo),
        controls: &mut impl Controls,
        signal: &Signal,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Answer>> {
        loop {
            match self.digest(client, server, controls, cx) {
                Ok(Step::More) => {}
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::Stop(answer)) => return Poll::Ready(Some(answer)),
                Err(violation) => return Poll::Ready(Some(Answer::Lost(Lost::Violation(violation)))),
            }
            if client.unsent() > 0 && !self.client_gone {
                if let Poll::Ready(Err(_)) = client.poll_flush(cx) {
                    self.client_gone = true;
                }
                if client.unsent() > HIGH_WATER && !self.client_gone {
                    return match signal.poll(self.signals, cx) {
                        Poll::Ready(raised) => Poll::Ready(Some(Answer::Interrupted(raised))),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
            match server.poll_fill(cx) {
                Poll::Ready(Ok(0)) => {
                    let error = io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Some(Answer::Lost(Lost::Io(error))));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Answer::Lost(Lost::Io(error)))),
                Poll::Pending => {
                    if self.watch_client {
                        match client.stream().poll_departure(cx) {
                            Poll::Ready(Departure::Gone) => return Poll::Ready(Some(Answer::ClientLeft)),
                            // It has sent something ahead: from here on its departure cannot be told from that.
                            Poll::Ready(Departure::Input) => self.watch_client = false,
                            Poll::Pending => {}
                        }
                    }
                    return match signal.poll(self.signals, cx) {
                        Poll::Ready(raised) => Poll::Ready(Some(Answer::Interrupted(raised))),
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }

    /// Works through what has arrived. Runs of frames that nobody changes leave in one write.
    fn digest(
        &mut self,
        client: &mut PacketIo,
        server: &mut PacketIo,
        controls: &mut impl Controls,
        cx: &mut Context<'_>,
    ) -> Result<Step, Violation> {
        let mut run = 0;
        loop {
            let unread = server.input().get(run..).unwrap_or_default();
            if unread.is_empty() {
                self.pass_on(run, client, server, cx);
                return Ok(Step::More);
            }
            let scan = match self.scanner.scan(unread) {
                Ok(scan) => scan,
                Err(violation) => {
                    self.pass_on(run, client, server, cx);
                    return Err(violation);
                }
            };
            run += scan.opaque;
            let Next::Control { len, control } = scan.next else {
                self.pass_on(run, client, server, cx);
                return Ok(Step::More);
            };
            let delivered = self.delivered || run > 0;
            let frame = server.input_mut().get_mut(run..run + len).unwrap_or_default();
            let last = control.is_last();
            match controls.control(&control, frame, delivered) {
                Verdict::Forward => run += len,
                Verdict::Replace(bytes) => {
                    self.pass_on(run, client, server, cx);
                    if !self.client_gone {
                        client.queue(&bytes);
                    }
                    self.delivered = true;
                    server.consume(len);
                    run = 0;
                }
                Verdict::Swallow => {
                    self.pass_on(run, client, server, cx);
                    server.consume(len);
                    run = 0;
                }
                Verdict::Withhold => {
                    self.pass_on(run, client, server, cx);
                    server.consume(len);
                    return Ok(Step::Stop(Answer::Withheld));
                }
            }
            if last {
                self.pass_on(run, client, server, cx);
                return Ok(Step::End);
            }
            if matches!(control, Control::LocalInfile) {
                self.pass_on(run, client, server, cx);
                return Ok(Step::Stop(Answer::WantsFile));
            }
        }
    }

    fn pass_on(&mut self, count: usize, client: &mut PacketIo, server: &mut PacketIo, cx: &mut Context<'_>) {
        if count == 0 {
            return;
        }
        self.delivered = true;
        if self.client_gone {
            server.consume(count);
        } else if server.forward(count, client, cx).is_err() {
            self.client_gone = true;
            server.consume(server.input().len().min(count));
        }
    }
}

enum Step {
    More,
    End,
    Stop(Answer),
}
