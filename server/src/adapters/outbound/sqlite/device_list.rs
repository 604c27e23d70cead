//! Another device list in the place of the present one.

use sqlx::SqliteConnection;
use susurro_protocol::keys::DeviceList;
use susurro_protocol::{ErrorCode, codec};

use super::SqliteStore;
use super::accounts::add_device;
use super::administration::tell_of;
use super::fault::Fault;
use super::rows::{bytes, damaged, fixed, signed};
use crate::domain::Error;
use crate::domain::account::next_list;
use crate::domain::token::FamilyId;
use crate::ports::Answer;

impl SqliteStore {
    pub(super) fn change_devices(&self, list: DeviceList, now: u64) -> Answer<'_, Vec<FamilyId>> {
        let changed = self.ending_forgetting(move |connection| Box::pin(change(connection, list, now)));
        Box::pin(async move {
            let ended = changed.await?;
            self.forget_rosters();
            Ok(ended)
        })
    }
}

/// What goes with a device. `?1` is the device.
const REMOVE: [&str; 5] = [
    "DELETE FROM messages WHERE mailbox IN (SELECT number FROM devices WHERE device = ?1)",
    "DELETE FROM mailboxes WHERE device IN (SELECT number FROM devices WHERE device = ?1)",
    "DELETE FROM prekeys WHERE device IN (SELECT number FROM devices WHERE device = ?1)",
    // By the index of used ids, and among the latest, which it may not have yet.
    "DELETE FROM sent WHERE id IN (SELECT id FROM used_ids WHERE device IN (SELECT number FROM devices WHERE device = ?1) \
     UNION SELECT id FROM sent WHERE id > (SELECT up_to FROM used_ids_up_to) \
     AND device IN (SELECT number FROM devices WHERE device = ?1))",
    "DELETE FROM refresh_tokens WHERE family IN (SELECT family FROM families WHERE device = ?1)",
];

async fn change(connection: &mut SqliteConnection, list: DeviceList, now: u64) -> Result<Vec<FamilyId>, Fault> {
    let account = list.body().account;
    let select = sqlx::query("SELECT device_list FROM accounts WHERE account = ?").bind(account.as_bytes().to_vec());
    let row = select.fetch_optional(&mut *connection).await?.ok_or_else(|| Error::from(ErrorCode::Unauthenticated))?;
    let known = codec::decode(&bytes(&row, 0)?).map_err(|why| damaged(why.to_string()))?;
    let known = DeviceList::verify(known).map_err(|why| damaged(why.to_string()))?;
    let difference = next_list(&known, &list)?;
    sqlx::query("UPDATE accounts SET list_version = ?, device_list = ? WHERE account = ?")
        .bind(signed(list.body().version))
        .bind(codec::encode(list.signed()))
        .bind(account.as_bytes().to_vec())
        .execute(&mut *connection)
        .await?;
    let mut ended = Vec::new();
    for device in difference.removed {
        let id = device.as_bytes().to_vec();
        let update =
            "UPDATE families SET revoked = ? WHERE device = ? AND account = ? AND revoked IS NULL RETURNING family";
        let rows = sqlx::query(update).bind(signed(now)).bind(&id).bind(account.as_bytes().to_vec());
        for row in rows.fetch_all(&mut *connection).await? {
            let family = FamilyId(fixed(&row, 0)?);
            tell_of(connection, &family, now).await?;
            ended.push(family);
        }
        for statement in REMOVE {
            sqlx::query(statement).bind(&id).execute(&mut *connection).await?;
        }
        let update = sqlx::query("UPDATE devices SET removed = ? WHERE device = ?").bind(signed(now)).bind(&id);
        update.execute(&mut *connection).await?;
    }
    for certificate in list.certificates().iter().filter(|c| difference.added.contains(&c.body().device)) {
        add_device(connection, &account, certificate).await?;
    }
    Ok(ended)
}
