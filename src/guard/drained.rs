//! Whether a promoted server has applied all that it ever received: until then its log may still grow by what the old
//! primary committed.

use std::time::Duration;

use crate::backend::{Control, ControlError, Row};
use crate::topology::Flavor;

/// Why the log of a new primary is not the last word yet; `None` if it is.
pub(super) async fn obstacle(
    control: &mut Control,
    within: Duration,
) -> Result<Option<String>, ControlError> {
    let sql = match control.flavor() {
        Flavor::MariaDb => "SHOW ALL SLAVES STATUS",
        Flavor::MySql => "SHOW REPLICA STATUS",
    };
    let rows = control.query(sql, within).await?;
    Ok(rows.rows.iter().find_map(channel))
}

fn channel(row: &Row) -> Option<String> {
    let text = |names: &[&str]| row.any(names).unwrap_or_default();
    if text(&["Replica_IO_Running", "Slave_IO_Running"]) != "No" {
        return Some("the new primary still receives from another server".to_owned());
    }
    let received = (
        text(&["Source_Log_File", "Master_Log_File"]),
        text(&["Read_Source_Log_Pos", "Read_Master_Log_Pos"]),
    );
    let applied = (
        text(&["Relay_Source_Log_File", "Relay_Master_Log_File"]),
        text(&["Exec_Source_Log_Pos", "Exec_Master_Log_Pos"]),
    );
    (received != applied).then(|| "the new primary has not applied everything that it received".to_owned())
}
