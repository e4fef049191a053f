//! Tables `sites` and `domains`.

use super::column::{get, number, optional_number, parsed, to_word, word};
use hwc_api::desired::{InstalledApp, Site};
use hwc_api::ids::{AccountId, DatasetId, NodeId, SiteId};
use hwc_api::names::DomainName;
use hwc_api::time::WallTime;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use std::collections::BTreeMap;

pub(super) async fn site_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<SiteId, Site>> {
    let rows = sqlx::query(
        "select id, account, dataset, uid, php, app, app_version, pin, hold_until, created_at
         from sites",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut domains = domain_list(connection).await?;
    let mut sites = BTreeMap::new();
    for row in &rows {
        let id = SiteId(number(row, "id")?);
        let site = site_of(row, id, domains.remove(&id).unwrap_or_default())?;
        sites.insert(id, site);
    }
    Ok(sites)
}

fn site_of(row: &SqliteRow, id: SiteId, domains: Vec<DomainName>) -> sqlx::Result<Site> {
    let app: Option<String> = get(row, "app")?;
    let version: Option<String> = get(row, "app_version")?;
    Ok(Site {
        id,
        account: AccountId(number(row, "account")?),
        dataset: DatasetId(number(row, "dataset")?),
        uid: number(row, "uid")?,
        domains,
        php: word(row, "php")?,
        app: app
            .zip(version)
            .map(|(app, version)| InstalledApp { app, version }),
        pin: optional_number(row, "pin")?.map(NodeId),
        hold_until: get::<Option<i64>>(row, "hold_until")?.map(WallTime),
        created_at: WallTime(get(row, "created_at")?),
    })
}

async fn domain_list(
    connection: &mut SqliteConnection,
) -> sqlx::Result<BTreeMap<SiteId, Vec<DomainName>>> {
    let rows = sqlx::query("select domain, site from domains order by site, position")
        .fetch_all(connection)
        .await?;
    let mut domains: BTreeMap<SiteId, Vec<DomainName>> = BTreeMap::new();
    for row in &rows {
        let site = SiteId(number(row, "site")?);
        let domain = parsed(row, "domain")?;
        domains.entry(site).or_default().push(domain);
    }
    Ok(domains)
}

pub(super) async fn site_upsert(
    connection: &mut SqliteConnection,
    site: &Site,
) -> sqlx::Result<()> {
    let app = site.app.as_ref();
    sqlx::query(
        "insert into sites
             (id, account, dataset, uid, php, app, app_version, pin, hold_until, created_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (id) do update set account = excluded.account, dataset = excluded.dataset,
             uid = excluded.uid, php = excluded.php, app = excluded.app,
             app_version = excluded.app_version, pin = excluded.pin,
             hold_until = excluded.hold_until, created_at = excluded.created_at",
    )
    .bind(i64::from(site.id.0))
    .bind(i64::from(site.account.0))
    .bind(i64::from(site.dataset.0))
    .bind(i64::from(site.uid))
    .bind(to_word(&site.php)?)
    .bind(app.map(|app| app.app.as_str()))
    .bind(app.map(|app| app.version.as_str()))
    .bind(site.pin.map(|node| i64::from(node.0)))
    .bind(site.hold_until.map(|until| until.0))
    .bind(site.created_at.0)
    .execute(&mut *connection)
    .await?;
    domains_replace(connection, site).await
}

async fn domains_replace(connection: &mut SqliteConnection, site: &Site) -> sqlx::Result<()> {
    sqlx::query("delete from domains where site = ?")
        .bind(i64::from(site.id.0))
        .execute(&mut *connection)
        .await?;
    for (position, domain) in (0_i64..).zip(&site.domains) {
        sqlx::query("insert into domains (domain, site, position) values (?, ?, ?)")
            .bind(domain.as_str())
            .bind(i64::from(site.id.0))
            .bind(position)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Deletes a site; its domains go with it (the foreign key cascades).
pub(super) async fn site_delete(connection: &mut SqliteConnection, id: SiteId) -> sqlx::Result<()> {
    sqlx::query("delete from sites where id = ?")
        .bind(i64::from(id.0))
        .execute(connection)
        .await?;
    Ok(())
}
