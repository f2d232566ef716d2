//! One session of a script, on one side.

use std::collections::HashMap;

use tideover_protocol::response::ResponseShape;

use crate::answer::Answer;
use crate::script::Step;
use crate::support::TestResult;
use crate::wire::Wire;

/// How statements of a script are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Text,
    Prepared,
    Cursor,
}

/// A connection with the statements that it has prepared: id and number of parameters.
pub(crate) struct Session {
    pub(crate) wire: Wire,
    statements: HashMap<String, (u32, usize)>,
}

impl Session {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire, statements: HashMap::new() }
    }

    /// All answers to one step.
    pub(crate) async fn run(&mut self, step: &Step, mode: Mode) -> TestResult<Vec<Answer>> {
        let wire = &mut self.wire;
        Ok(vec![match step {
            Step::Statement(text, _) if mode == Mode::Text => wire.query(text).await?,
            Step::Statement(text, _) => return self.statement(text, mode == Mode::Cursor).await,
            Step::Prepare(name, text) => self.prepare(name, text).await?,
            Step::Execute { name, cursor, values } => {
                let command = self.execution(name, *cursor, values, true);
                self.wire.command(&command).await?
            }
            Step::Again(name, values) => {
                let command = self.execution(name, false, values, false);
                self.wire.command(&command).await?
            }
            Step::Fetch(name, rows) => {
                let command = [self.with_id(0x1c, name), rows.to_le_bytes().to_vec()].concat();
                self.wire.command(&command).await?
            }
            Step::Long(name, number, text) => {
                let head = self.with_id(0x18, name);
                self.wire.send(&[&head[..], &number.to_le_bytes(), text.as_bytes()].concat(), 0).await?;
                return Ok(Vec::new());
            }
            Step::Reset(name) => {
                let command = self.with_id(0x1a, name);
                self.wire.command(&command).await?
            }
            Step::Close(name) => {
                let command = self.with_id(0x19, name);
                self.wire.send(&command, 0).await?;
                return Ok(Vec::new());
            }
            Step::Named(command, name) => wire.command(&[&[*command], name.as_bytes()].concat()).await?,
            Step::Plain(command) | Step::Form(command) | Step::Raw(command) => wire.command(command).await?,
            Step::ChangeUser(schema, collation) => {
                let command = wire.change_user(schema, collation);
                wire.send(&command, 0).await?;
                self.statements.clear();
                self.wire.answer(ResponseShape::ChangeUser).await?
            }
            Step::Pins(_) => return Ok(Vec::new()),
        }])
    }

    /// Answers as lines. The ids of prepared statements are each side's own.
    pub(crate) fn lines(&self, answers: &[Answer], shape_only: bool) -> Vec<String> {
        let mut lines: Vec<String> = answers.iter().flat_map(|a| a.lines(shape_only)).collect();
        for (name, (id, _)) in &self.statements {
            for line in lines.iter_mut().filter(|line| line.contains("Err")) {
                for before in ["handler", "statement"] {
                    let (own, same) = (format!("{before} ({id})"), format!("{before} ({name})"));
                    if line.contains("Error\\041") && line.contains(&own) {
                        // A row of SHOW WARNINGS: the length of the text, a byte in front of it, is that of the id too.
                        let length = line.find(['T', 'U']).map_or(0, |at| at - 1);
                        line.replace_range(length..=length, "?");
                    }
                    *line = line.replace(&own, &same);
                }
            }
        }
        lines
    }

    async fn prepare(&mut self, name: &str, text: &str) -> TestResult<Answer> {
        let answer = self.wire.command(&[&[0x16], text.as_bytes()].concat()).await?;
        if let Some(id) = answer.statement() {
            self.statements.insert(name.to_owned(), (id, text.matches('?').count()));
        }
        Ok(answer)
    }

    /// A statement by way of the prepared protocol; with a cursor, two rows are fetched at a time.
    async fn statement(&mut self, text: &str, cursor: bool) -> TestResult<Vec<Answer>> {
        let mut answers = vec![self.prepare("_", text).await?];
        if answers[0].statement().is_none() {
            return Ok(answers);
        }
        let command = self.execution("_", cursor, &[], true);
        answers.push(self.wire.command(&command).await?);
        let mut open = cursor && answers[1].opened_cursor();
        let mut rounds = 0;
        while open && rounds < 40 {
            let command = [self.with_id(0x1c, "_"), 2_u32.to_le_bytes().to_vec()].concat();
            let answer = self.wire.command(&command).await?;
            open = answer.error().is_none() && answer.opened_cursor();
            rounds += 1;
            answers.push(answer);
        }
        let close = self.with_id(0x19, "_");
        self.wire.send(&close, 0).await?;
        Ok(answers)
    }

    fn with_id(&self, command: u8, name: &str) -> Vec<u8> {
        let id = self.statements.get(name).map_or(9999, |s| s.0);
        [&[command][..], &id.to_le_bytes()].concat()
    }

    fn execution(&self, name: &str, cursor: bool, values: &[String], types: bool) -> Vec<u8> {
        let mut command = self.with_id(0x17, name);
        command.push(u8::from(cursor));
        command.extend_from_slice(&1_u32.to_le_bytes());
        let count = self.statements.get(name).map_or(0, |s| s.1);
        if count == 0 {
            return command;
        }
        let mut nulls = vec![0; count.div_ceil(8)];
        let (mut kinds, mut data) = (Vec::new(), Vec::new());
        for number in 0..count {
            match values.get(number).map(|v| v.split_once(':').unwrap_or((v, ""))) {
                Some(("i", value)) => {
                    kinds.extend_from_slice(&[8, 0]);
                    data.extend_from_slice(&value.parse::<i64>().expect("a number").to_le_bytes());
                }
                Some(("d", value)) => {
                    kinds.extend_from_slice(&[5, 0]);
                    data.extend_from_slice(&value.parse::<f64>().expect("a number").to_le_bytes());
                }
                Some(("s", value)) => {
                    kinds.extend_from_slice(&[253, 0]);
                    data.push(u8::try_from(value.len()).expect("a short text"));
                    data.extend_from_slice(value.as_bytes());
                }
                Some(("l", _)) => kinds.extend_from_slice(&[252, 0]),
                _ => {
                    kinds.extend_from_slice(&[6, 0]);
                    nulls[number / 8] |= 1 << (number % 8);
                }
            }
        }
        command.extend_from_slice(&nulls);
        command.push(u8::from(types));
        if types {
            command.extend_from_slice(&kinds);
        }
        command.extend_from_slice(&data);
        command
    }
}
