//! What a session does in its turn.

use mysql_async::{Row, Value, prelude::Queryable};

use super::member::{Member, same};
use super::model::{Binary, SCHEMAS};
use crate::support::TestResult;

impl Member {
    /// One thing of many.
    pub(super) async fn step(&mut self, may_keep: bool) -> TestResult {
        match self.random.below(100) {
            0..=13 => self.set_system().await,
            14..=27 => self.set_user().await,
            28..=34 => self.compute_user().await,
            35..=40 => self.use_schema().await,
            41..=46 => self.prepare_binary().await,
            47..=58 => self.execute_binary().await,
            59..=63 => self.prepare_sql().await,
            64..=71 => self.execute_sql().await,
            72..=77 => self.insert().await,
            78..=82 => self.transaction().await,
            83..=87 => self.mistake().await,
            88..=91 => self.counts().await,
            92..=93 if may_keep => self.keep().await,
            94 if self.random.below(4) == 0 => self.reset().await,
            _ => self.look().await,
        }
    }

    async fn set_system(&mut self) -> TestResult {
        let number = (100 + self.random.below(5000)).to_string();
        let (name, value, sql): (&'static str, String, String) = match self.random.below(9) {
            0 => ("group_concat_max_len", number.clone(), format!("SET group_concat_max_len={number}")),
            1 => ("lock_wait_timeout", number.clone(), format!("SET SESSION lock_wait_timeout={number}")),
            2 => ("net_write_timeout", number.clone(), format!("SET @@session.net_write_timeout = {number}")),
            3 => ("max_sort_length", number.clone(), format!("SET @@max_sort_length := {number}")),
            4 => {
                let digits = self.random.below(12).to_string();
                ("div_precision_increment", digits.clone(), format!("SET div_precision_increment={digits}"))
            }
            5 => {
                // In quarters of an hour: MariaDB takes some offsets for one that it has met before, since it compares
                // their seconds, four bytes, as text without case (10.11.18: '+07:25' is '+05:09', "lH" and "Lh").
                let zone = format!("+{:02}:{:02}", self.random.below(13), 15 * self.random.below(4));
                ("time_zone", zone.clone(), format!("SET time_zone='{zone}'"))
            }
            6 => {
                let modes = ["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "STRICT_ALL_TABLES", "IGNORE_SPACE"];
                let mode = self.random.one_of(&modes).to_owned();
                ("sql_mode", mode.clone(), format!("SET sql_mode='{mode}'"))
            }
            7 => {
                let name = self.random.one_of(&["sql_safe_updates", "foreign_key_checks"]);
                let on = self.random.below(2).to_string();
                let sql = format!("SET {name}={on}");
                (if name.starts_with('s') { "sql_safe_updates" } else { "foreign_key_checks" }, on, sql)
            }
            _ => return self.set_names().await,
        };
        self.run(&sql).await?;
        self.model.system.insert(name, value);
        Ok(())
    }

    async fn set_names(&mut self) -> TestResult {
        let collations =
            ["latin1_bin", "latin1_german1_ci", "utf8mb4_bin", "utf8mb4_unicode_ci", "utf8mb4_general_ci"];
        let collation = self.random.one_of(&collations).to_owned();
        let charset = collation.split('_').next().unwrap_or_default().to_owned();
        self.run(&format!("SET NAMES {charset} COLLATE {collation}")).await?;
        for name in ["character_set_client", "character_set_results"] {
            self.model.system.insert(name, charset.clone());
        }
        self.model.system.insert("collation_connection", collation);
        Ok(())
    }

    async fn set_user(&mut self) -> TestResult {
        let name = format!("v{}", self.random.below(8));
        let (literal, value) = match self.random.below(5) {
            0 => ("NULL".to_owned(), None),
            1 | 2 => {
                let number = self.random.below(1 << 40).to_string();
                (number.clone(), Some(number))
            }
            _ => {
                let text = format!("it''s {}", self.label());
                (format!("'{text}'"), Some(text.replace("''", "'")))
            }
        };
        self.run(&format!("SET @{name} = {literal}")).await?;
        self.model.user.insert(name, value);
        Ok(())
    }

    /// Variables whose values only the server knows until it is asked.
    async fn compute_user(&mut self) -> TestResult {
        let label = self.label();
        let number = self.random.below(1 << 30);
        match self.random.below(5) {
            0 => {
                let before = self.model.user.get("sum").cloned().flatten().unwrap_or_else(|| "0".to_owned());
                let before: u64 = before.parse()?;
                self.run(&format!("SET @sum = COALESCE(@sum, 0) + {number}")).await?;
                self.model.user.insert("sum".into(), Some((before + number).to_string()));
            }
            1 => {
                self.says(&format!("SELECT @chosen := CONCAT('{label}', '!')"), &[&format!("{label}!")])
                    .await?;
                self.model.user.insert("chosen".into(), Some(format!("{label}!")));
            }
            2 => {
                self.run(&format!("SELECT {number} + 1, CONCAT('{label}', name) INTO @i, @j FROM whoami"))
                    .await?;
                self.model.user.insert("i".into(), Some((number + 1).to_string()));
                self.model.user.insert("j".into(), Some(format!("{label}{}", self.model.schema)));
            }
            3 => {
                self.run(&format!("CALL doubles({number}, @doubled)")).await?;
                self.model.user.insert("doubled".into(), Some((2 * number).to_string()));
            }
            _ => {
                self.run(&format!("SET @k = '{label}', @l = UPPER(@k), @m = NULL")).await?;
                // The right sides of one SET are all taken before it, or one after the other: ask.
                let row = self.row("SELECT @k, @l, @m").await?;
                if row.first() != Some(&Some(label.clone())) || row.get(2) != Some(&None) {
                    return Err(format!("SELECT @k, @l, @m: {row:?} after {label}").into());
                }
                for (name, value) in ["k", "l", "m"].into_iter().zip(row) {
                    self.model.user.insert(name.into(), value);
                }
            }
        }
        Ok(())
    }

    async fn use_schema(&mut self) -> TestResult {
        let schema = SCHEMAS[self.random.below(SCHEMAS.len() as u64) as usize];
        self.run(&format!("USE {schema}")).await?;
        self.model.schema = schema;
        self.says("SELECT name FROM whoami", &[schema]).await
    }

    async fn prepare_binary(&mut self) -> TestResult {
        let label = self.label();
        let sql = format!("SELECT '{label}', name, ? + {}, ? FROM whoami", self.number);
        self.sent.push(format!("(prepare) {sql}"));
        let statement = self.connection.prep(sql).await?;
        self.model.binary.push(Binary { statement, label, schema: self.model.schema });
        if self.model.binary.len() > 4 {
            let at = self.random.below(self.model.binary.len() as u64) as usize;
            let closed = self.model.binary.swap_remove(at);
            self.connection.close(closed.statement).await?;
        }
        Ok(())
    }

    async fn execute_binary(&mut self) -> TestResult {
        if self.model.binary.is_empty() {
            return self.prepare_binary().await;
        }
        let at = self.random.below(self.model.binary.len() as u64) as usize;
        let Binary { statement, label, schema } = &self.model.binary[at];
        let (statement, label, schema) = (statement.clone(), label.clone(), *schema);
        let number = self.random.below(1 << 40);
        let given = if self.random.below(4) == 0 { None } else { Some(self.label()) };
        let values = vec![Value::Int(number as i64), given.clone().map_or(Value::NULL, Value::from)];
        self.sent.push(format!("(execute) {label}"));
        let rows: Vec<Row> = self
            .connection
            .exec(&statement, values)
            .await
            .map_err(|error| format!("execution of {label}: {error}"))?;
        let found = self.one("execution", rows)?;
        let wanted = [Some(label), Some(schema.to_owned()), Some((number + self.number).to_string()), given];
        same("execution", &found, &wanted)
    }

    async fn prepare_sql(&mut self) -> TestResult {
        let (name, label) = (format!("p{}", self.random.below(4)), self.label());
        self.run(&format!("PREPARE {name} FROM 'SELECT ''{label}'', name, ? FROM whoami'")).await?;
        self.model.prepared.insert(name, (label, self.model.schema));
        Ok(())
    }

    async fn execute_sql(&mut self) -> TestResult {
        let name = format!("p{}", self.random.below(4));
        let Some((label, schema)) = self.model.prepared.get(&name).cloned() else {
            return self.fails(&format!("EXECUTE {name}"), 1243, &name).await;
        };
        if self.random.below(8) == 0 {
            self.run(&format!("DEALLOCATE PREPARE {name}")).await?;
            self.model.prepared.remove(&name);
            return Ok(());
        }
        let given = self.label();
        self.run(&format!("SET @given = '{given}'")).await?;
        self.model.user.insert("given".into(), Some(given.clone()));
        self.says(&format!("EXECUTE {name} USING @given"), &[&label, schema, &given]).await
    }

    async fn insert(&mut self) -> TestResult {
        let label = self.label();
        let sql = format!("INSERT INTO rows_of (owner, note) VALUES ({}, '{label}')", self.number);
        self.run(&sql).await?;
        let id = self.connection.last_insert_id().ok_or("an INSERT without an id")?;
        if self.connection.affected_rows() != 1 {
            return Err(format!("{sql}: {} rows", self.connection.affected_rows()).into());
        }
        self.model.last_insert_id = Some(id);
        *self.model.rows.entry(self.model.schema).or_default() += 1;
        if self.random.below(2) == 0 {
            self.says("SELECT LAST_INSERT_ID()", &[&id.to_string()]).await?;
        }
        self.says(&format!("SELECT note FROM rows_of WHERE id = {id}"), &[&label]).await
    }

    async fn transaction(&mut self) -> TestResult {
        let number = self.number;
        let before = self.model.rows.get(self.model.schema).copied().unwrap_or_default();
        let count = format!("SELECT COUNT(*) FROM rows_of WHERE owner = {number}");
        let insert = format!("INSERT INTO rows_of (owner, note) VALUES ({number}, 'in a transaction')");
        self.run("BEGIN").await?;
        self.run(&insert).await?;
        self.model.last_insert_id = self.connection.last_insert_id();
        self.says(&count, &[&(before + 1).to_string()]).await?;
        self.run("SAVEPOINT one").await?;
        self.set_user().await?;
        self.run(&insert).await?;
        self.model.last_insert_id = self.connection.last_insert_id();
        self.run("ROLLBACK TO one").await?;
        self.says(&count, &[&(before + 1).to_string()]).await?;
        let commits = self.random.below(3) > 0;
        self.run(if commits { "COMMIT" } else { "ROLLBACK" }).await?;
        let after = before + u64::from(commits);
        self.model.rows.insert(self.model.schema, after);
        self.says(&count, &[&after.to_string()]).await
    }

    /// Errors and warnings are those of this session's own statement.
    async fn mistake(&mut self) -> TestResult {
        let label = self.label().replace('-', "_");
        match self.random.below(4) {
            0 => self.fails(&format!("SELECT nothing_{label}"), 1054, &label).await,
            1 => self.fails(&format!("SELECT * FROM no_{label}"), 1146, &label).await,
            2 => self.fails(&format!("SELECT 1 FROM DUAL WHERE {label} IS"), 1064, "").await,
            _ => {
                self.run(&format!("DROP TABLE IF EXISTS no_{label}")).await?;
                let row = self.row("SHOW WARNINGS").await?;
                match row.get(2) {
                    Some(Some(message)) if message.contains(&label) => Ok(()),
                    _ => Err(format!("SHOW WARNINGS of {label}: {row:?}").into()),
                }
            }
        }
    }

    async fn counts(&mut self) -> TestResult {
        let rows = 1 + self.random.below(4);
        let number = self.number;
        let union: Vec<String> = (0..rows).map(|row| format!("SELECT {number}, {row}")).collect();
        self.sent.push(format!("{rows} rows"));
        let found: Vec<Row> = self.connection.query(union.join(" UNION ALL ")).await?;
        if found.len() as u64 != rows || found.iter().any(|row| row.get::<u64, _>(0) != Some(number)) {
            return Err(format!("{rows} rows of {number}: {found:?}").into());
        }
        match self.random.below(3) {
            0 => self.says("SELECT FOUND_ROWS()", &[&rows.to_string()]).await,
            1 => {
                let label = self.label();
                self.run(&format!("UPDATE rows_of SET note = '{label}' WHERE owner = {number}")).await?;
                let changed = self.model.rows.get(self.model.schema).copied().unwrap_or_default();
                if self.connection.affected_rows() != changed {
                    let found = self.connection.affected_rows();
                    return Err(format!("UPDATE of {changed} rows changed {found}").into());
                }
                Ok(())
            }
            _ => match self.model.last_insert_id {
                Some(id) => self.says("SELECT LAST_INSERT_ID()", &[&id.to_string()]).await,
                None => Ok(()),
            },
        }
    }

    /// Something that keeps a server connection for the session, for a while.
    async fn keep(&mut self) -> TestResult {
        let label = self.label();
        if self.random.below(2) == 0 {
            self.run("CREATE TEMPORARY TABLE mine (note VARCHAR(40))").await?;
            self.run(&format!("INSERT INTO mine VALUES ('{label}')")).await?;
            self.set_user().await?;
            self.says("SELECT note FROM mine", &[&label]).await?;
            self.look().await?;
            return self.run("DROP TEMPORARY TABLE mine").await;
        }
        self.says(&format!("SELECT GET_LOCK('{label}', 0)"), &["1"]).await?;
        self.set_system().await?;
        self.says(&format!("SELECT IS_FREE_LOCK('{label}')"), &["0"]).await?;
        self.says(&format!("SELECT RELEASE_LOCK('{label}')"), &["1"]).await
    }

    async fn reset(&mut self) -> TestResult {
        self.sent.push("(reset)".into());
        let names: Vec<String> = self.model.user.keys().cloned().collect();
        if !self.connection.reset().await? {
            return Err("the session could not be reset".into());
        }
        self.model.reset(self.fresh.clone());
        self.look().await?;
        for name in names {
            self.expect(&format!("SELECT @{name}"), &[None]).await?;
        }
        self.fails("EXECUTE p0", 1243, "p0").await
    }
}
