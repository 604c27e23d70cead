//! The devices of one's own account, and the name that others see.

use susurro_protocol::keys::{DeviceCertificate, DeviceList};
use susurro_protocol::rest::{PutDevices, SignedText, UpdateMe};
use susurro_protocol::{DeviceId, ErrorCode};

use super::Client;
use crate::crypto::{AccountKey, LocalDevice};
use crate::driver::now;
use crate::error::Error;
use crate::profile::OwnDevice;
use crate::store::StoreError;
use crate::store::port::{Mutation, Snapshot};
use crate::sync::Token;

impl Client {
    /// The devices of the account as the relay lists them now; every signature was checked, and that the list
    /// goes on from the one that this device knows. Needs a connection only when the token is no longer good.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] with `InvalidDeviceList` for a list that does not hold, [`Error::LoggedOut`],
    /// [`Error::Unreachable`] and the like.
    pub async fn devices(&self) -> Result<Vec<OwnDevice>, Error> {
        let snapshot = self.inner.store.load().await?;
        let list = self.own_list(&snapshot, &self.fresh_token().await?).await?;
        shown(&snapshot, &list)
    }

    /// Takes another device out of the account's list: its logins and connections end at once, and nobody
    /// encrypts for it any longer. The devices that are left.
    ///
    /// # Errors
    ///
    /// [`Error::ThisDevice`], [`Error::NoSuchDevice`], and as [`devices`](Self::devices).
    pub async fn remove_device(&self, device: DeviceId) -> Result<Vec<OwnDevice>, Error> {
        let snapshot = self.inner.store.load().await?;
        let token = self.fresh_token().await?;
        let known = self.own_list(&snapshot, &token).await?;
        if this_device(&snapshot)? == device {
            return Err(Error::ThisDevice);
        }
        if known.certificate(&device).is_none() {
            return Err(Error::NoSuchDevice);
        }
        let left: Vec<DeviceCertificate> =
            known.certificates().iter().filter(|certificate| certificate.body().device != device).cloned().collect();
        let account_key = AccountKey::from_bytes(&snapshot.account_key);
        let next = account_key.issue_list(Some(&known), now() / 1000, left);
        let text = SignedText::of(next.signed());
        let request = PutDevices { device_list: text.clone() };
        self.inner.http.put_devices(&request, &token).await.map_err(|error| self.inner.at(error))?;
        self.inner.store.commit(&vec![Mutation::DeviceList(account_key.account(), text.0.as_slice().to_vec())]).await?;
        shown(&snapshot, &next)
    }

    /// Sets the name that others see beside the account's, or takes it away. The relay and everyone on it can read it.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] for one that is empty, too long or has control characters, [`Error::LoggedOut`],
    /// [`Error::Unreachable`] and the like.
    pub async fn set_display_name(&self, name: Option<String>) -> Result<Option<String>, Error> {
        let token = self.fresh_token().await?;
        let request = UpdateMe { display_name: name };
        let me = self.inner.http.update_me(&request, &token).await.map_err(|error| self.inner.at(error))?;
        Ok(me.display_name)
    }

    /// The account's list at the relay, when it is the one that this device knows or goes on from it.
    async fn own_list(&self, snapshot: &Snapshot, token: &Token) -> Result<DeviceList, Error> {
        let answer = self.inner.http.devices(&snapshot.name, token).await.map_err(|error| self.inner.at(error))?;
        let own = AccountKey::from_bytes(&snapshot.account_key).account();
        let wrong = || Error::Rejected(ErrorCode::InvalidDeviceList);
        let list = read(answer.device_list).filter(|list| list.body().account == own).ok_or_else(wrong)?;
        if let Some((_, known)) = snapshot.device_lists.iter().find(|(account, _)| *account == own) {
            let known = read(SignedText(known.clone().into())).ok_or_else(StoreError::damaged)?;
            list.follows(&known).map_err(|_| wrong())?;
        }
        Ok(list)
    }
}

fn read(text: SignedText) -> Option<DeviceList> {
    DeviceList::verify(text.read().ok()?).ok()
}

fn this_device(snapshot: &Snapshot) -> Result<DeviceId, Error> {
    Ok(LocalDevice::from_bytes(&snapshot.device).map_err(|_| StoreError::damaged())?.device())
}

fn shown(snapshot: &Snapshot, list: &DeviceList) -> Result<Vec<OwnDevice>, Error> {
    let this = this_device(snapshot)?;
    let device = |certificate: &DeviceCertificate| {
        let body = certificate.body();
        OwnDevice { device: body.device, created: body.created, this: body.device == this }
    };
    Ok(list.certificates().iter().map(device).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::sync::{Arc, Mutex};

    use susurro_protocol::rest::UserDevices;
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;
    use zeroize::Zeroizing;

    use super::*;
    use crate::crypto::Prekeys;
    use crate::driver::rng;
    use crate::store::port::{Relay, Tokens};
    use crate::store::{DatabaseKey, Directory, NewProfile, Store};

    /// A relay that shows one list, and takes whatever is put in its place.
    async fn relay(shown: Arc<Mutex<UserDevices>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = BufReader::new(stream);
                let (mut head, mut length) = (String::new(), 0);
                while !head.ends_with("\r\n\r\n") {
                    let begun = head.len();
                    stream.read_line(&mut head).await.unwrap();
                    let line = head[begun..].to_lowercase();
                    if let Some(number) = line.strip_prefix("content-length:") {
                        length = number.trim().parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.unwrap();
                if head.starts_with("PUT /users/me/devices ") {
                    let put: PutDevices = serde_json::from_slice(&body).unwrap();
                    shown.lock().unwrap().device_list = put.device_list;
                }
                let body = serde_json::to_string(&*shown.lock().unwrap()).unwrap();
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json";
                let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        url
    }

    #[tokio::test]
    async fn another_device_is_removed_by_the_next_list_and_this_one_and_strangers_are_not() {
        let mut rng = rng();
        let account = AccountKey::generate(&mut rng);
        let (this, other) =
            (LocalDevice::generate(&account, 1, &mut rng), LocalDevice::generate(&account, 2, &mut rng));
        let first = account.issue_list(None, 1, vec![this.certificate().clone()]);
        let both = vec![this.certificate().clone(), other.certificate().clone()];
        let second = account.issue_list(Some(&first), 2, both);
        let name: susurro_protocol::AccountName = "alice".parse().unwrap();
        let answer = UserDevices {
            account: account.account(),
            name: name.clone(),
            device_list: SignedText::of(second.signed()),
        };
        let shown = Arc::new(Mutex::new(answer));
        let url = relay(shown.clone()).await;
        let new = NewProfile {
            name,
            relay: Relay { url, key: [7; 32] },
            account_key: account.to_bytes(),
            device: this.to_bytes(),
            prekeys: Prekeys::generate(&this, 1, &mut rng).to_bytes(),
            device_list: (account.account(), SignedText::of(first.signed()).0.as_slice().to_vec()),
        };
        let directory = tempfile::tempdir().unwrap();
        let key = DatabaseKey::new(Zeroizing::new([1; 32]));
        let store = Store::create(Directory::acquire(directory.path()).unwrap(), &key, &new).await.unwrap();
        let text = |text: &str| Zeroizing::new(text.to_owned());
        let tokens = Tokens { access: text("a"), access_expires: now() + 60_000, refresh: text("r") };
        store.finish_registration(&tokens).await.unwrap();
        let client = Client::start(store).await.unwrap();

        let ids = |devices: &[OwnDevice]| devices.iter().map(|device| (device.device, device.this)).collect::<Vec<_>>();
        let mut listed = ids(&client.devices().await.unwrap());
        listed.sort_unstable();
        let mut expected = [(this.device(), true), (other.device(), false)];
        expected.sort_unstable();
        assert_eq!(listed, expected);
        assert_eq!(client.remove_device(this.device()).await, Err(Error::ThisDevice));
        assert_eq!(client.remove_device(DeviceId::from_bytes([9; 16])).await, Err(Error::NoSuchDevice));
        assert_eq!(shown.lock().unwrap().device_list, SignedText::of(second.signed()), "nothing was put");

        assert_eq!(ids(&client.remove_device(other.device()).await.unwrap()), [(this.device(), true)]);
        let third = read(shown.lock().unwrap().device_list.clone()).unwrap();
        assert_eq!((third.follows(&second), third.body().version, third.certificates().len()), (Ok(()), 3, 1));
        // An older list, from a relay that would like the device back.
        shown.lock().unwrap().device_list = SignedText::of(second.signed());
        assert_eq!(client.devices().await, Err(Error::Rejected(ErrorCode::InvalidDeviceList)));
        client.close().await;
    }
}
