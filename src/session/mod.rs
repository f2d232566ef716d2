//! stub until merged
#![allow(missing_docs)]
use crate::sql::Statement;
#[derive(Debug,Clone,Default)] pub struct SessionState{}
#[derive(Debug)] pub enum Change<'a>{Variable{name:&'a [u8],value:&'a [u8]},Schema(&'a [u8])}
pub struct Modes{pub ansi_quotes:bool,pub no_backslash_escapes:bool,pub multibyte_unsafe:bool}
impl SessionState{pub fn apply(&mut self,_:Change<'_>){} pub fn fingerprint(&self)->u64{0} pub fn schema(&self)->Option<&[u8]>{None} pub fn sql_modes(&self)->Modes{Modes{ansi_quotes:false,no_backslash_escapes:false,multibyte_unsafe:false}}}
pub struct Restore{pub init_db:Option<Vec<u8>>,pub set:Option<String>,pub needs_fresh_connection:bool}
pub fn plan(_:&SessionState,_:&SessionState,_:&SessionState)->Restore{Restore{init_db:None,set:None,needs_fresh_connection:false}}
#[derive(Debug)] pub struct ServerStatements;
impl ServerStatements{pub fn new(_:usize)->Self{Self}}
#[derive(Debug)] pub struct PreparedStatements;
impl PreparedStatements{pub fn new(_:usize)->Self{Self} pub fn clear(&mut self){}}
pub struct PinReason;
impl PinReason{pub fn names(_:u32)->Vec<&'static str>{vec![]}}
#[derive(Debug,Default)] pub struct Tracker;
pub struct Outcome{pub in_transaction:bool,pub warnings:u16,pub affected_rows:u64,pub last_insert_id:u64}
impl Tracker{pub fn pin_names(&self)->Vec<&'static str>{vec![]} pub fn unpin_all(&mut self){} pub fn is_pinned(&self)->bool{false} pub fn last_insert_id(&self)->Option<u64>{None} pub fn observe(&mut self,_:&Statement,_:&Outcome){} pub fn observe_error(&mut self,_:&Statement,_:u16){} pub fn pin_bits(&self)->u32{0} pub fn will_run(&mut self,_:&Statement,_:&[u8]){}}
