//! Another device list in the place of the present one.

use susurro_protocol::keys::DeviceList;
use susurro_protocol::{ErrorCode, codec};

use super::PostgresStore;
use super::accounts::add_device;
use super::administration::tell_of;
use super::fault::Fault;
use super::rows::{bytes, damaged, fixed, signed};
use crate::domain::Error;
use crate::domain::account::next_list;
use crate::domain::token::FamilyId;

/// What goes with a device. `$1` is the device. The mailbox is locked before its messages are deleted.
const REMOVE: [&str; 6] = [
    "SELECT device FROM mailboxes WHERE device = (SELECT number FROM devices WHERE device = $1) FOR UPDATE",
    "DELETE FROM messages WHERE mailbox = (SELECT number FROM devices WHERE device = $1)",
    "DELETE FROM mailboxes WHERE device = (SELECT number FROM devices WHERE device = $1)",
    "DELETE FROM prekeys WHERE device = (SELECT number FROM devices WHERE device = $1)",
    "DELETE FROM sent WHERE device = (SELECT number FROM devices WHERE device = $1)",
    "DELETE FROM refresh_tokens WHERE family IN (SELECT family FROM families WHERE device = $1)",
];

impl PostgresStore {
    pub(super) async fn change_list_once(&self, list: &DeviceList, now: u64) -> Result<Vec<FamilyId>, Fault> {
        let account = list.body().account;
        let mut transaction = self.begin().await?;
        // Locked: of two that would follow the same list, the second sees what the first has made.
        let select = sqlx::query("SELECT device_list FROM accounts WHERE account = $1 FOR UPDATE");
        let row = select.bind(account.as_bytes().to_vec()).fetch_optional(&mut *transaction).await?;
        let row = row.ok_or_else(|| Error::from(ErrorCode::Unauthenticated))?;
        let known = codec::decode(&bytes(&row, 0)?).map_err(|why| damaged(why.to_string()))?;
        let known = DeviceList::verify(known).map_err(|why| damaged(why.to_string()))?;
        let difference = next_list(&known, list)?;
        sqlx::query("UPDATE accounts SET list_version = $1, device_list = $2 WHERE account = $3")
            .bind(signed(list.body().version))
            .bind(codec::encode(list.signed()))
            .bind(account.as_bytes().to_vec())
            .execute(&mut *transaction)
            .await?;
        let mut ended = Vec::new();
        for device in difference.removed {
            let id = device.as_bytes().to_vec();
            let update = "UPDATE families SET revoked = $1 WHERE device = $2 AND account = $3 AND revoked IS NULL \
                          RETURNING family";
            let rows = sqlx::query(update).bind(signed(now)).bind(&id).bind(account.as_bytes().to_vec());
            for row in rows.fetch_all(&mut *transaction).await? {
                let family = FamilyId(fixed(&row, 0)?);
                tell_of(&mut transaction, &family, now).await?;
                ended.push(family);
            }
            for statement in REMOVE {
                sqlx::query(statement).bind(&id).execute(&mut *transaction).await?;
            }
            let update = sqlx::query("UPDATE devices SET removed = $1 WHERE device = $2").bind(signed(now)).bind(&id);
            update.execute(&mut *transaction).await?;
        }
        for certificate in list.certificates().iter().filter(|c| difference.added.contains(&c.body().device)) {
            add_device(&mut transaction, &account, certificate).await?;
        }
        transaction.commit().await?;
        Ok(ended)
    }
}
