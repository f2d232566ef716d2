//! The binary log, read from afar: the files that come through the proxy are those of the server, and their text is the
//! same as without the proxy.

use std::{fs::File, path::Path, process::Stdio};

use tokio::time::Instant;

use super::{Tools, between, dump::same, run};
use crate::support::{TestResult, length};

/// Reads all files but the last, which is still written to.
pub(super) async fn read_from_afar(tools: &Tools<'_>) -> TestResult {
    let mariadb = tools.flavor().is_mariadb();
    let Some(program) = tools.own(if mariadb { "mariadb-binlog" } else { "mysqlbinlog" }) else {
        return Ok(());
    };
    let primary = tools.scene.cluster.find_primary().await?;
    primary.run(&["FLUSH BINARY LOGS"]).await?;
    let rows = primary.query("SHOW BINARY LOGS").await?;
    let mut files: Vec<String> = rows.into_iter().filter_map(|mut row| row.take(0)).collect();
    files.pop();
    let began = Instant::now();
    // As they are.
    let mut command = tools.client(&program, tools.scene.proxy.address());
    command.args(["--read-from-remote-server", "--raw"]).arg(result_file(&tools.folder)).args(&files);
    run("reading the binary log", &mut command).await?;
    let mut size = 0;
    for file in &files {
        size += same(tools.folder.join(file), primary.directory().join("data").join(file)).await?;
        std::fs::remove_file(tools.folder.join(file))?;
    }
    let took = began.elapsed().as_secs_f32();
    // As text; the first files only, which is enough.
    let texts = [tools.folder.join("proxied.txt"), tools.folder.join("direct.txt")];
    let most = length(1, 2).min(files.len());
    for (text, address) in texts.iter().zip([tools.scene.proxy.address(), primary.address()]) {
        let mut command = tools.client(&program, address);
        command.args(["--read-from-remote-server", "--base64-output=decode-rows", "--verbose"]);
        let output = File::create(text)?.into();
        between("reading the binary log", command.args(&files[..most]), (Stdio::null(), output)).await?;
    }
    let text = same(texts[0].clone(), texts[1].clone()).await?;
    println!(
        "{}: {} files of the binary log, {} MiB, read through the proxy in {took:.1} s; {} MiB of text are the same too",
        tools.flavor(),
        files.len(),
        size >> 20,
        text >> 20
    );
    texts.iter().try_for_each(std::fs::remove_file)?;
    Ok(())
}

/// With `--raw` it is what stands in front of the files' names.
fn result_file(folder: &Path) -> String {
    format!("--result-file={}/", folder.display())
}
