//! How the services stand, for the node's report of itself.

use crate::dataset::Datasets;
use crate::error::YakdError;
use crate::gather::{DatasetPart, Wanted};
use crate::render;
use crate::systemd::{UnitState, states};
use hwc_api::ids::DatasetId;
use hwc_api::observed::{ServiceObserved, ServiceState};
use hwc_api::problem::{Problem, ProblemCode};
use std::collections::BTreeSet;

/// Apache's name in reports.
pub(crate) const APACHE: &str = "apache";

/// Looks at Apache and at everything that should listen here.
pub(crate) async fn observe(
    datasets: &Datasets,
    wanted: &Wanted,
    live: &BTreeSet<DatasetId>,
) -> Result<(Vec<ServiceObserved>, Vec<Problem>), YakdError> {
    let parts: Vec<_> = live
        .iter()
        .filter_map(|dataset| wanted.part_of(*dataset))
        .collect();
    let (sites, databases): (Vec<_>, Vec<_>) = parts
        .into_iter()
        .partition(|part| matches!(part, DatasetPart::Site(_)));
    let mut problems = Vec::new();
    let apache = one(states(&["apache2.service".to_owned()])
        .await?
        .first()
        .copied());
    let mut services = vec![service(APACHE, apache)];
    for (name, parts) in [("php", sites), ("mariadb", databases)] {
        let state = group(datasets, &parts, &mut problems).await?;
        services.push(service(name, state));
    }
    Ok((services, problems))
}

fn service(name: &str, state: ServiceState) -> ServiceObserved {
    ServiceObserved {
        name: name.to_owned(),
        state,
    }
}

fn one(state: Option<UnitState>) -> ServiceState {
    match state {
        Some(UnitState::Active) => ServiceState::Running,
        Some(UnitState::Inactive | UnitState::Failed) | None => ServiceState::Failed,
    }
}

/// All units of one kind: running when every live one listens and none has failed.
async fn group(
    datasets: &Datasets,
    parts: &[DatasetPart],
    problems: &mut Vec<Problem>,
) -> Result<ServiceState, YakdError> {
    let units: Vec<_> = parts
        .iter()
        .flat_map(|part| {
            let places = render::places(&datasets.config, part);
            [(part, places.socket_unit), (part, places.service_unit)]
        })
        .collect();
    let names: Vec<_> = units.iter().map(|(_, unit)| unit.clone()).collect();
    let found = states(&names).await?;
    // What was stopped, or not yet started, while we looked is as it should be.
    let started = datasets.running.started().await;
    let mut worst = if parts.is_empty() {
        ServiceState::Stopped
    } else {
        ServiceState::Running
    };
    for ((part, unit), state) in units.iter().zip(found) {
        // A service that sleeps until it is asked for is as it should be; a socket must be there.
        let is_well = match state {
            UnitState::Active => true,
            UnitState::Inactive => unit.ends_with(".service"),
            UnitState::Failed => false,
        };
        if !is_well && started.iter().any(|started| started.part == **part) {
            worst = ServiceState::Failed;
            let message = format!("{unit} should run and does not; see its journal");
            problems.push(Problem::new(ProblemCode::Internal, message).detail(unit));
        }
    }
    Ok(worst)
}
