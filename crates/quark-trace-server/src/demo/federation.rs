//! The project that has seen everything: from its start to an incident in use.

use std::sync::Arc;

use quark_trace::core::payload::Payload;
use quark_trace::core::sheet::Amendment;
use quark_trace::core::stages::Mode;
use quark_trace::store::Store;
use quark_trace::{Error, ErrorKind, Result};
use serde_json::json;

use super::{NODES, Writer, digest, rounded};

pub(super) const PROJECT: &str = "chest-xray-triage";

/// 2026-03-02T07:30:00Z
const BEGIN_US: i64 = 1_772_436_600_000_000;
const ROUNDS: u32 = 30;
/// The site that leaves, and the last round that it takes part in.
const LEAVES: (&str, u32) = ("seeblick-south", 17);
/// The site and round whose loss is not a number.
const BROKEN: (&str, u32) = ("nordstadt-east", 12);
const DAY: i64 = 86_400;

const SHEET: &str = "\
project_id: chest-xray-triage
institution_id: nordstadt
purpose: >-
  Put chest radiographs with a suspected pneumothorax on top of the reading list of the radiologist
  on duty. The model orders the list; it makes no diagnosis.
domain: radiology
ml_type: supervised
algorithm:
  - name: DenseNet-121
    variant: federated averaging over 30 rounds, five sites
input:
  - name: chest radiograph
    type: image
    description: One frontal view, 512 x 512 pixels, without the patient's name
output:
  - name: pneumothorax score
    type: score
    description: From 0 to 1; above 0.62 the image goes to the top of the list
performance_metrics:
  - area under the curve
  - loss
  - sensitivity at 90 % specificity
bias:
  type: selection
  affected_group: patients of hospitals that do not take part
  severity: medium
  notes: The sites have different machines and different shares of emergencies
stakeholders:
  - name: Dr. Amal Haddad
    role: responsible radiologist
    contact: haddad@nordstadt.example
  - name: Ethics board of Nordstadt
    role: reads this log
";

/// What a site is like: examples, how well it starts, and how far it gets.
fn site_of(at: usize) -> (u32, f64, f64) {
    [
        (18_420, 0.69, 0.162),
        (9_310, 0.74, 0.198),
        (12_870, 0.71, 0.176),
        (6_240, 0.81, 0.266),
        (15_090, 0.66, 0.151),
    ][at % 5]
}

pub(super) fn fill(store: Arc<dyn Store>) -> Result<()> {
    let mut writer = Writer::begin(store, SHEET, BEGIN_US)?;
    begin(&mut writer)?;
    for round in 1..=ROUNDS {
        run_round(&mut writer, round)?;
        if round == LEAVES.1 {
            leave(&mut writer)?;
        }
    }
    after_training(&mut writer)?;
    in_use(&mut writer)?;
    writer.project.seal().map(drop)
}

fn begin(writer: &mut Writer) -> Result<()> {
    let start = Payload::new()
        .with("rounds", ROUNDS)
        .with("log_policy", "every site logs its own rounds; the coordinator logs the rest");
    writer.log("project_start", &start)?;
    let risk = Payload::new()
        .with("id", "R1")
        .with("description", "A pneumothorax is missed because its image stays far down the list")
        .with("likelihood", "low")
        .with("severity", "high")
        .with("mitigation", "Every image is read within four hours, whatever its score");
    writer.log("risk_assessment", &Payload::new().with("risks", vec![risk]))?;
    writer.project.stages().adopt_builtin("client_round", Mode::Warn)?;
    for (at, node) in NODES.iter().enumerate() {
        writer.wait(900);
        let ingest = Payload::new()
            .with("dataset", format!("chest-pa-{}", node.id))
            .with("site", node.id)
            .with("version", "2026-02")
            .with("records", site_of(at).0)
            .with("digest", digest(node.id))
            .with("legal_basis", "consent of the patients, study 2025-117")
            .with("personal_data", true);
        writer.log("data_ingest", &ingest)?;
    }
    writer.wait(2 * DAY);
    let sites: Vec<Payload> = NODES
        .iter()
        .map(|node| Payload::new().with("node", node.id).with("institution", node.institution))
        .collect();
    let setup = Payload::new()
        .with("framework", "Flower 1.42")
        .with("strategy", "FedAvg")
        .with("min_sites", 3)
        .with("secagg", false)
        .with("sites", sites);
    writer.log("federation_setup", &setup)
}

/// The sites that take part in a round, with their place among the nodes.
fn taking_part(round: u32) -> impl Iterator<Item = (usize, &'static str)> {
    let ids = NODES.iter().map(|node| node.id).enumerate();
    ids.filter(move |(_, id)| *id != LEAVES.0 || round <= LEAVES.1)
}

/// What is left of the way from the first loss to the last, after so many rounds.
fn still_to_learn(round: u32) -> f64 {
    (-f64::from(round) / 7.5).exp()
}

fn run_round(writer: &mut Writer, round: u32) -> Result<()> {
    writer.wait(5 * 3600 + 240);
    let model = |round: u32| digest(&format!("model {round}"));
    let sites: Vec<&str> = taking_part(round).map(|(_, id)| id).collect();
    let start = Payload::new()
        .with("round", round)
        .with("sites", sites.clone())
        .with("global_digest", model(round - 1));
    writer.log("round_start", &start)?;
    let mut weighted = (0.0, 0.0);
    for (at, site) in taking_part(round) {
        writer.wait(600 + 60 * writer_pause(at));
        let (examples, first, last) = site_of(at);
        let noise = 0.03 * writer.jitter();
        let loss = rounded(last + (first - last) * still_to_learn(round) + noise, 4);
        let is_broken = (site, round) == BROKEN;
        let auc = rounded(0.965 - 0.42 * loss + 0.008 * writer.jitter(), 4);
        let payload = Payload::new()
            .with("round", round)
            .with("site", site)
            .with("num_examples", examples)
            .with("loss", if is_broken { f64::NAN } else { loss })
            .with("metrics", Payload::new().with("auc", auc))
            .with("duration_s", rounded(412.0 + f64::from(examples) / 26.0 + noise * 900.0, 1))
            .with("global_digest_in", model(round - 1))
            .with("update_digest", digest(&format!("update {round} {site}")));
        writer.log("client_round", &payload)?;
        if is_broken {
            refuse(writer, round, site)?;
        } else {
            weighted.0 += loss * f64::from(examples);
            weighted.1 += f64::from(examples);
        }
    }
    let aggregation = Payload::new()
        .with("round", round)
        .with("function", "weighted mean")
        .with("num_clients", sites.len())
        .with("loss", rounded(weighted.0 / weighted.1, 4))
        .with("result_digest", model(round));
    writer.log("aggregation", &aggregation)?;
    if round.is_multiple_of(5) { evaluate(writer, round) } else { Ok(()) }
}

/// Sites take different times.
fn writer_pause(at: usize) -> i64 {
    [0, 12, 4, 26, 8][at % 5]
}

fn refuse(writer: &mut Writer, round: u32, site: &str) -> Result<()> {
    let receipt = Payload::new()
        .with("round", round)
        .with("site", site)
        .with("accepted", false)
        .with("reason", "the loss is not a number; mixed precision was switched off for this site");
    writer.log("contribution_receipt", &receipt)
}

fn evaluate(writer: &mut Writer, round: u32) -> Result<()> {
    let auc = rounded(0.937 - 0.33 * still_to_learn(round) + 0.004 * writer.jitter(), 4);
    let sensitivity = rounded(auc - 0.041, 3);
    let payload = Payload::new()
        .with("round", round)
        .with("dataset", "held-out-2025-q4")
        .with("num_examples", 4_800)
        .with("metrics", Payload::new().with("auc", auc).with("sensitivity", sensitivity))
        .with("model_digest", digest(&format!("model {round}")))
        .with("evaluator", "Institute of Biometry, Nordstadt");
    writer.log("evaluation", &payload)
}

fn leave(writer: &mut Writer) -> Result<()> {
    writer.wait(3600);
    let dropout = Payload::new()
        .with("round", LEAVES.1)
        .with("site", LEAVES.0)
        .with("code", "withdrawn")
        .with("reason", "The archive is being moved; the site takes no part until further notice");
    writer.log("dropout", &dropout)?;
    writer.wait(1800);
    let changes = json!({"bias": {
        "type": "selection",
        "affected_group": "patients of hospitals that do not take part, and of Seeblick South",
        "severity": "high",
        "notes": "Seeblick South left after round 17; its share of paediatric images is missing",
    }});
    let fields = changes.as_object().cloned().unwrap_or_default();
    let amendment = Amendment::parse(
        &fields,
        "Dr. Amal Haddad",
        "A site left, and with it most images of children",
    )
    .map_err(|fault| {
        Error::new(ErrorKind::InvalidInput, "fill the store with the demo", fault.to_string())
    })?;
    let at = quark_trace::clock::timestamp(writer.now_us);
    writer.project.amend(&amendment, &at).map(drop)
}

fn after_training(writer: &mut Writer) -> Result<()> {
    writer.wait(2 * 3600);
    let groups = Payload::new()
        .with("emergency", Payload::new().with("auc", 0.941))
        .with("ward", Payload::new().with("auc", 0.928))
        .with("children", Payload::new().with("auc", 0.861));
    let evaluation = Payload::new()
        .with("dataset", "external-2025")
        .with("num_examples", 7_260)
        .with("metrics", Payload::new().with("auc", 0.931).with("sensitivity", 0.89))
        .with("by_group", groups)
        .with("model_digest", digest("model 30"))
        .with("evaluator", "Institute of Biometry, Nordstadt");
    writer.log("evaluation", &evaluation)?;
    let model = Payload::new()
        .with("name", "chest-xray-triage")
        .with("version", "1.0.0")
        .with("digest", digest("model 30"))
        .with("format", "ONNX")
        .with("size_bytes", 28_311_552);
    writer.log("model_registered", &model)?;
    writer.wait(3 * DAY);
    let approval = Payload::new()
        .with("gate", "clinical use")
        .with("decision", "conditional")
        .with("requester", "Dr. Amal Haddad")
        .with("approvers", vec!["Ethics board of Nordstadt", "Medical devices officer"])
        .with("conditions", vec!["Not for patients under 16", "Monthly report to the board"]);
    writer.log("approval", &approval)?;
    writer.wait(DAY);
    let deployment = Payload::new()
        .with("environment", "reading list, Nordstadt main campus")
        .with("model_digest", digest("model 30"))
        .with("to_version", "1.0.0")
        .with("canary_percent", 20)
        .with("verified_signature", true);
    writer.log("deployment", &deployment)
}

fn in_use(writer: &mut Writer) -> Result<()> {
    for (week, value) in [0.929, 0.931, 0.926, 0.902, 0.874].into_iter().enumerate() {
        writer.wait(7 * DAY);
        let monitoring = Payload::new()
            .with("window", format!("week {}", week + 1))
            .with("metric", "auc")
            .with("value", value)
            .with("baseline", 0.931)
            .with("threshold", 0.88)
            .with("alarm", value < 0.88);
        writer.log("monitoring", &monitoring)?;
    }
    writer.wait(5 * 3600);
    let incident = Payload::new()
        .with("severity", "serious")
        .with("class", "near miss")
        .with("description", "After an update of a scanner the scores of one room were too low")
        .with("affected", 3)
        .with("cause", "Changed contrast of the images of room 4")
        .with("corrective_action", "Back to reading in order of arrival for room 4")
        .with("status", "open");
    writer.log("incident", &incident)?;
    writer.wait(1200);
    let oversight = Payload::new()
        .with("action", "stop")
        .with("person", "Dr. Amal Haddad")
        .with("reason", "Room 4 is taken out until its images are calibrated again")
        .with("before", "ordered by score")
        .with("after", "ordered by arrival");
    writer.log("human_oversight", &oversight)
}
