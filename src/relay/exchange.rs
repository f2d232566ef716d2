//! Relays an answer.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tideover_protocol::frame::{FrameHeader, HEADER_LEN};
use tideover_protocol::response::{Control, Next, ResponseScanner, Scan, Violation};

use crate::net::{Departure, PacketIo};

use super::mark::{Mark, Skip};
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
    /// It was to go on where another answer broke off, and does not begin as that one did.
    Differs,
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
    /// Stops for these once the server has begun to answer and before the client is given anything.
    heeds: Signals,
    watch_client: bool,
    /// How far it is, and a digest of its rows.
    mark: Mark,
    /// The digest is wanted also if the answer comes in one piece.
    digest_rows: bool,
    /// What the client has already, of an answer that broke off.
    skip: Option<Box<Skip>>,
    /// What came in front of a withheld frame, if the client was given nothing before.
    kept: Vec<u8>,
    /// An OK has ended a result.
    results_ended: bool,
    /// Where the last result ended: control frames and opaque bytes until then.
    last_end: (u32, usize),
    /// The server numbers its frames otherwise than the client expects.
    renumbers: bool,
    /// The number behind the last progress report, if the client was given nothing else.
    reported: Option<u8>,
}

impl Exchange {
    /// Expects what `scanner` describes; stops for `signals`.
    #[must_use]
    pub fn new(scanner: ResponseScanner, signals: Signals) -> Self {
        Self {
            scanner,
            delivered: false,
            client_gone: false,
            finished: false,
            signals,
            heeds: Signals::empty(),
            watch_client: false,
            mark: Mark::default(),
            digest_rows: false,
            skip: None,
            kept: Vec::new(),
            results_ended: false,
            last_end: (0, 0),
            renumbers: false,
            reported: None,
        }
    }

    /// Has all rows digested: for a journal. Otherwise that is done only while an answer might break off.
    pub fn digest_rows(&mut self) {
        self.digest_rows = true;
    }

    /// The answer goes on with what the client has of another: the server's frames get the numbers that are due there.
    pub fn renumber(&mut self) {
        self.renumbers = true;
    }

    /// The client has the answer up to `from`: that part is compared and left out. `next` is the number of the next
    /// packet to the client, `None` amid a frame.
    pub fn skip(&mut self, from: Mark, next: Option<u8>) {
        self.delivered = true;
        self.skip = Some(Box::new(Skip { from, next }));
    }

    /// How far the client was served, of this answer or the one that it goes on with.
    #[must_use]
    pub fn mark(&self) -> &Mark {
        self.skip.as_ref().map_or(&self.mark, |skip| &skip.from)
    }

    /// Whether the client was given anything of this answer.
    #[must_use]
    pub fn delivered(&self) -> bool {
        self.delivered
    }

    /// The number of the next packet to a client that was given nothing but progress reports (MariaDB): those are no part of
    /// an answer, and another one may follow them.
    #[must_use]
    pub fn behind_reports(&self) -> Option<u8> {
        self.reported.filter(|_| !self.delivered)
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
        if let Some(skip) = &self.skip {
            return skip.next;
        }
        (!self.delivered || !self.scanner.is_amid_frame()).then(|| self.scanner.next_sequence())
    }

    /// How far this answer itself is, where it goes on with another.
    #[must_use]
    pub fn own_mark(&self) -> &Mark {
        &self.mark
    }

    /// What came in front of the withheld frame and was kept back with it: goes to the client first, if that frame does.
    #[must_use]
    pub fn take_kept(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.kept)
    }

    /// Whether nothing has come behind the last result that is whole, but for a withheld error.
    #[must_use]
    pub fn is_between_results(&self) -> bool {
        self.skip.is_none() && (self.mark.controls, self.mark.opaque) == self.last_end
    }

    /// Whether the answer has not come yet to where the one that it goes on with broke off.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.skip.is_some()
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

    /// Stops for these signals also between the beginning of the server's answer and the moment when the client is given
    /// of it.
    pub fn heed(&mut self, signals: Signals) {
        self.heeds = signals;
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
                Poll::Ready(Ok(_)) => {
                    let raised = signal.raised() & self.heeds;
                    if !self.delivered && !raised.is_empty() {
                        return Poll::Ready(Some(Answer::Interrupted(raised)));
                    }
                }
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
            let scan = match server.scan(&mut self.scanner, (run, self.renumbers)) {
                Ok(scan) => scan,
                Err(violation) => {
                    self.pass_on(run, client, server, cx);
                    return Err(violation);
                }
            };
            let Ok((fresh, metadata)) = self.fresh(server, run, &scan) else {
                return Ok(Step::Stop(Answer::Differs));
            };
            run = fresh.end;
            let Next::Control { len, control } = scan.next else {
                self.mark.take_in(server.input().get(fresh).unwrap_or_default(), metadata);
                self.pass_on(run, client, server, cx);
                return Ok(Step::More);
            };
            let delivered = self.delivered || run > 0;
            let frame = server.input_mut().get_mut(run..run + len).unwrap_or_default();
            let last = control.is_last();
            self.results_ended |= matches!(control, Control::Ok { .. });
            let verdict = controls.control(&control, frame, delivered);
            if !last || self.digest_rows || verdict == Verdict::Withhold {
                self.mark.take_in(server.input().get(fresh).unwrap_or_default(), metadata);
            }
            let Ok(verdict) = self.count(verdict, last) else { return Ok(Step::Stop(Answer::Differs)) };
            if self.scanner.is_at_head() {
                self.last_end = (self.mark.controls, self.mark.opaque);
            }
            let bytes = match verdict {
                Verdict::Forward => None,
                Verdict::Replace(bytes) => Some(bytes),
                Verdict::Swallow => Some(BytesMut::new()),
                Verdict::Withhold => {
                    self.keep_back(run, client, server, cx);
                    server.consume(len);
                    return Ok(Step::Stop(Answer::Withheld));
                }
            };
            if let Some(bytes) = bytes {
                self.pass_on(run, client, server, cx);
                server.consume(len);
                run = 0;
                self.delivered |= !bytes.is_empty();
                if !self.client_gone {
                    client.queue(&bytes);
                }
            } else {
                run += len;
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

    /// Of the opaque bytes those that the client does not have yet, and how many of them are not rows. The others go.
    fn fresh(
        &mut self,
        server: &mut PacketIo,
        run: usize,
        scan: &Scan,
    ) -> Result<(Range<usize>, usize), Differs> {
        let all = run..run + scan.opaque;
        let left_out = self.leave_out(server.input().get(all.clone()).unwrap_or_default(), scan)?;
        if left_out == 0 {
            return Ok((all, scan.metadata));
        }
        // While something is left out nothing has been kept back to be passed on: `run` was 0.
        server.consume(left_out);
        Ok((0..scan.opaque - left_out, scan.metadata.saturating_sub(left_out)))
    }

    /// Counts a control frame, unless it is kept back. One that the client has already is swallowed.
    fn count(&mut self, verdict: Verdict, last: bool) -> Result<Verdict, Differs> {
        if verdict == Verdict::Withhold {
            return Ok(verdict);
        }
        self.mark.controls += 1;
        if self.skip.is_none() {
            return Ok(verdict);
        }
        self.compare()?;
        if last { Err(Differs) } else { Ok(Verdict::Swallow) }
    }

    /// Of opaque bytes the number of those that the client has already.
    fn leave_out(&mut self, opaque: &[u8], scan: &Scan) -> Result<usize, Differs> {
        let Some(skip) = &self.skip else { return Ok(0) };
        let count = skip.from.opaque_after(&self.mark).min(opaque.len());
        self.mark.take_in(opaque.get(..count).unwrap_or_default(), scan.metadata.min(count));
        self.compare()?;
        if self.skip.is_some() && count < opaque.len() { Err(Differs) } else { Ok(count) }
    }

    /// Once all that the client has is left out, it must have been the same.
    fn compare(&mut self) -> Result<(), Differs> {
        let Some(skip) = &self.skip else { return Ok(()) };
        if self.mark.controls > skip.from.controls {
            return Err(Differs);
        }
        if !self.mark.is_at(&skip.from) {
            return Ok(());
        }
        if !self.mark.agrees_with(&skip.from) {
            return Err(Differs);
        }
        self.skip = None;
        Ok(())
    }

    /// What stands before a withheld frame. The beginning of a result that broke off need not be shown to a client that
    /// has nothing yet: the command may be run again. Whatever tells that something was executed is passed on.
    fn keep_back(&mut self, run: usize, client: &mut PacketIo, server: &mut PacketIo, cx: &mut Context<'_>) {
        // With the older protocol an EOF stands between metadata and rows.
        if self.delivered || self.results_ended || self.mark.controls > 1 {
            self.pass_on(run, client, server, cx);
            return;
        }
        self.kept = server.input().get(..run).unwrap_or_default().to_vec();
        server.consume(run);
    }

    fn pass_on(&mut self, count: usize, client: &mut PacketIo, server: &mut PacketIo, cx: &mut Context<'_>) {
        if count == 0 {
            return;
        }
        match reports(server.input().get(..count).unwrap_or_default()) {
            Some(next) if !self.delivered => self.reported = Some(next),
            _ => self.delivered = true,
        }
        if self.client_gone {
            server.consume(count);
        } else if server.forward(count, client, cx).is_err() {
            self.client_gone = true;
            server.consume(server.input().len().min(count));
        }
    }
}

/// The number behind these frames, if they are progress reports, whole and nothing else: error packets with the code 0xffff.
fn reports(mut frames: &[u8]) -> Option<u8> {
    let mut next = None;
    while !frames.is_empty() {
        let header = FrameHeader::parse(frames)?;
        let whole = frames.get(..HEADER_LEN + header.payload_len)?;
        whole.get(HEADER_LEN..)?.starts_with(&[0xff; 3]).then_some(())?;
        next = Some(header.sequence.wrapping_add(1));
        frames = frames.get(whole.len()..)?;
    }
    next
}

/// What a client has of an answer is not what came now.
struct Differs;

enum Step {
    More,
    End,
    Stop(Answer),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_progress_are_told_from_answers() {
        let report =
            |sequence| [&[9, 0, 0, sequence][..], &[0xff, 0xff, 0xff, 1, 1, 2, 0x10, 0x27, 0]].concat();
        let ok = [7, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0];
        let error = [9, 0, 0, 1, 0xff, 0x15, 0x04, b'#', b'2', b'8', b'0', b'0', b'0'];
        assert_eq!(reports(&report(1)), Some(2));
        assert_eq!(reports(&[report(1), report(2)].concat()), Some(3));
        assert_eq!(reports(&report(255)), Some(0));
        assert_eq!(reports(&[report(2), ok.to_vec()].concat()), None);
        assert_eq!(reports(&report(1)[..8]), None);
        assert_eq!(reports(&error), None);
        assert_eq!(reports(&[]), None);
    }
}
