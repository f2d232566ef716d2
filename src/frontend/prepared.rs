//! stub
use super::run::Work; use super::session::{End,Session}; use crate::replay::Sent; use tideover_protocol::command::CommandKind;
impl Session{
 pub(super) fn note_prepared(&mut self,_w:&Work,_d:&super::answer::Completion){}
 pub(super) async fn prepare(&mut self)->Result<(),End>{Ok(())}
 pub(super) async fn execute(&mut self,_k:CommandKind)->Result<(),End>{Ok(())}
 pub(super) async fn long_data(&mut self)->Result<(),End>{Ok(())}
 pub(super) async fn close_statement(&mut self)->Result<(),End>{Ok(())}
 pub(super) async fn reset_statement(&mut self)->Result<(),End>{Ok(())}
 pub(super) async fn send_prepared(&mut self,_w:&Work)->Result<bool,Sent>{Ok(true)}
}
