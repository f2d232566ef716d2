//! What cannot be run here is at least kept readable and true: docker-compose.yml, deploy/, and the metric names of the
//! dashboard.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use yaml_rust2::{Yaml, YamlLoader};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(value: &Yaml) -> &str {
    value.as_str().unwrap_or_default()
}

fn strings(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Array(items) => items.iter().map(|item| text(item).to_owned()).collect(),
        Yaml::Hash(items) => items.keys().map(|key| text(key).to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// Every word of the form `tideover_…` in a text.
fn metric_names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("tideover_") && word.len() > "tideover_".len())
        .map(str::to_owned)
        .collect()
}

#[test]
fn compose_has_all_parts_and_they_fit_together() {
    let documents = yaml("docker-compose.yml");
    let services = &documents[0]["services"];
    let names = strings(services);
    for wanted in ["primary", "replica1", "replica2", "tideover", "load", "prometheus", "grafana"] {
        assert!(names.iter().any(|name| name == wanted), "no service {wanted} in {names:?}");
    }
    let volumes = strings(&documents[0]["volumes"]);
    for (name, service) in services.as_hash().expect("services") {
        let name = text(name);
        // `<<: *mariadb` is not resolved by this parser: those services have their image from there.
        let merged = &service["<<"]["image"];
        let has_image =
            !service["image"].is_badvalue() || !service["build"].is_badvalue() || !merged.is_badvalue();
        assert!(has_image, "{name}: no image");
        for needed in strings(&service["depends_on"]) {
            assert!(names.contains(&needed), "{name} depends on {needed}, which is not there");
        }
        for volume in strings(&service["volumes"]) {
            let source = volume.split(':').next().unwrap_or_default();
            match source.strip_prefix("./") {
                Some(path) => assert!(root().join(path).exists(), "{name} mounts {path}, which is not there"),
                None => assert!(volumes.iter().any(|v| v == source), "{name}: no volume {source}"),
            }
        }
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} publishes {port} beyond this machine");
        }
    }
    assert_eq!(text(&services["tideover"]["build"]), ".");
    assert!(root().join("Dockerfile").exists());
}

#[test]
fn compose_servers_are_the_ones_that_tideover_is_told() {
    let config: toml::Table = read("deploy/compose/tideover.toml").parse().expect("TOML");
    let servers = config["cluster"]["servers"].as_array().expect("servers");
    let compose = &yaml("docker-compose.yml")[0];
    let names = strings(&compose["services"]);
    for server in servers {
        let host = server.as_str().and_then(|server| server.split(':').next()).expect("host:port");
        assert!(names.iter().any(|name| name == host), "{host} is no service");
    }
    let ids: BTreeSet<_> = ["primary", "replica1", "replica2"]
        .iter()
        .flat_map(|name| strings(&compose["services"][*name]["command"]))
        .filter(|option| option.starts_with("--server-id="))
        .collect();
    assert_eq!(ids.len(), 3, "server ids must differ: {ids:?}");
    let prometheus = &yaml("deploy/prometheus/prometheus.yml")[0];
    let target = &prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0];
    assert_eq!(text(target), "tideover:9307");
}

/// The proxy itself must like what we tell others to give it.
#[test]
fn every_configuration_is_accepted() {
    let compose = tideover_config::parse(&read("deploy/compose/tideover.toml"), "compose").expect("accepted");
    let token = compose.admin.token.expect("a token, since it listens on every address");
    let environment = &yaml("docker-compose.yml")[0]["services"]["tideover"]["environment"];
    assert_eq!(text(&environment["TIDEOVER_ADMIN_TOKEN"]), token.expose());

    let secrets = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("secrets-{}", std::process::id()));
    fs::create_dir_all(&secrets).expect("a folder");
    for path in ["deploy/kubernetes/shared-tier.yaml", "deploy/kubernetes/sidecar.yaml"] {
        for name in strings(&yaml("deploy/kubernetes/shared-tier.yaml")[0]["stringData"]) {
            fs::write(secrets.join(name), "secret").expect("a file");
        }
        let documents = yaml(path);
        let map =
            documents.iter().find(|document| text(&document["kind"]) == "ConfigMap").expect("ConfigMap");
        let config = text(&map["data"]["tideover.toml"])
            .replace("/etc/tideover/secret", secrets.to_str().expect("UTF-8"));
        let accepted = tideover_config::parse(&config, path);
        assert!(
            accepted.is_ok(),
            "{path}: {}",
            accepted.err().map(|problems| problems.to_string()).unwrap_or_default()
        );
    }
    fs::remove_dir_all(&secrets).expect("removed");
}

#[test]
fn kubernetes_manifests_probe_and_drain() {
    for path in ["deploy/kubernetes/shared-tier.yaml", "deploy/kubernetes/sidecar.yaml"] {
        let documents = yaml(path);
        for document in &documents {
            for key in ["apiVersion", "kind"] {
                assert!(document[key].as_str().is_some(), "{path}: a document without {key}");
            }
            assert!(document["metadata"]["name"].as_str().is_some(), "{path}: a document without a name");
        }
        let deployment = documents
            .iter()
            .find(|document| text(&document["kind"]) == "Deployment")
            .unwrap_or_else(|| panic!("{path}: no Deployment"));
        let pod = &deployment["spec"]["template"]["spec"];
        let container = [&pod["containers"], &pod["initContainers"]]
            .into_iter()
            .flat_map(|list| list.as_vec().cloned().unwrap_or_default())
            .find(|container| text(&container["name"]) == "tideover")
            .unwrap_or_else(|| panic!("{path}: no container tideover"));
        assert_eq!(text(&container["livenessProbe"]["httpGet"]["path"]), "/livez", "{path}");
        assert_eq!(text(&container["readinessProbe"]["httpGet"]["path"]), "/readyz", "{path}");
        let hook = strings(&container["lifecycle"]["preStop"]["exec"]["command"]);
        assert_eq!(hook, ["tideover", "drain"], "{path}");
        let grace = pod["terminationGracePeriodSeconds"].as_i64().unwrap_or_default();
        assert!(grace >= 60, "{path}: {grace} s are not enough to drain");
        let map =
            documents.iter().find(|document| text(&document["kind"]) == "ConfigMap").expect("ConfigMap");
        let config: Result<toml::Table, _> = text(&map["data"]["tideover.toml"]).parse();
        assert!(config.is_ok(), "{path}: {config:?}");
    }
}

#[test]
fn the_dashboard_uses_metrics_that_exist() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/tideover.json")).expect("JSON");
    let defined = metric_names(&read("src/metrics/mod.rs"));
    assert!(defined.contains("tideover_gate_state"), "{defined:?}");
    let mut used = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(panel["title"].is_string() && panel["gridPos"]["w"].is_number(), "{panel}");
        for target in panel["targets"].as_array().expect("targets") {
            used.extend(metric_names(target["expr"].as_str().expect("expr")));
        }
    }
    for name in &used {
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let known = defined.contains(name) || histogram.is_some_and(|base| defined.contains(base));
        assert!(known, "the dashboard uses {name}, which no code defines");
    }
    // And the other way: a metric that nobody looks at is a question to whoever adds it.
    for name in &defined {
        assert!(used.iter().any(|used| used.starts_with(name)), "the dashboard does not show {name}");
    }
}

#[test]
fn grafana_finds_what_it_is_given() {
    let source = &yaml("deploy/grafana/provisioning/datasources/prometheus.yml")[0];
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("deploy/grafana/tideover.json")).expect("JSON");
    let wanted = dashboard["panels"][0]["datasource"]["uid"].as_str().expect("uid");
    assert_eq!(text(&source["datasources"][0]["uid"]), wanted);
    let provider = &yaml("deploy/grafana/provisioning/dashboards/tideover.yml")[0];
    let folder = text(&provider["providers"][0]["options"]["path"]).to_owned();
    let compose = &yaml("docker-compose.yml")[0];
    let mounted = strings(&compose["services"]["grafana"]["volumes"]);
    assert!(mounted.iter().any(|volume| volume.contains(&folder)), "{mounted:?} has no {folder}");
}

#[test]
fn the_unit_starts_what_there_is() {
    let unit = read("deploy/systemd/tideover.service");
    for (section, key) in [("[Unit]", "After="), ("[Service]", "ExecStart="), ("[Install]", "WantedBy=")] {
        assert!(unit.contains(section) && unit.contains(key), "{section} {key}");
    }
    assert!(unit.contains("ExecStart=/usr/local/bin/tideover run -c /etc/tideover/tideover.toml"));
}

#[test]
fn every_script_is_executable_and_says_what_it_is_for() {
    use std::os::unix::fs::PermissionsExt;
    let mut files: Vec<PathBuf> =
        fs::read_dir(root().join("scripts")).expect("scripts").flatten().map(|entry| entry.path()).collect();
    files.push(root().join(".ci/run"));
    for file in files {
        let script = fs::read_to_string(&file).expect("readable");
        let mut lines = script.lines();
        assert_eq!(lines.next(), Some("#!/usr/bin/env bash"), "{}", file.display());
        assert!(lines.next().is_some_and(|line| line.starts_with("# ")), "{}", file.display());
        let mode = fs::metadata(&file).expect("metadata").permissions().mode();
        assert!(mode & 0o100 != 0, "{} is not executable", file.display());
    }
}
