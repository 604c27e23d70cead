# The words of the interface. Text from others is cleaned before it gets here.

# Status line
status-connected = connected
status-connecting = connecting…
status-offline = offline: messages wait here until you connect (F5)
status-reconnecting = reconnecting in { $seconds } s: { $reason }
status-blocked = not connected: { $reason }
status-store-failed = the local store failed ({ $what }). Nothing new is kept: free disk space, then restart
status-queued = { $count } queued
trouble-unreachable = the relay does not answer
trouble-not-a-relay = what answers at this address is not a relay of this version
trouble-going-away = the relay restarts
trouble-overloaded = the relay is overloaded
trouble-lost = the connection was lost
trouble-superseded = another program uses this account's device: close it, then press F5
trouble-relay-key = the relay shows another key than before. Ask who runs it; nothing is sent until then
trouble-logged-out = logged out. Quit (Ctrl-Q) and run: susurro login

# Delivery and trust
delivery-queued = queued
delivery-accepted = accepted
delivery-stored = stored
delivery-read = read
delivery-failed = failed
trust-unverified = unverified
trust-verified = verified
trust-changed = key changed
trust-blocked = key changed, sending stopped
banner-key-changed = The key of { $name } changed after you verified it. Nothing is sent until you decide: press F4 to compare or accept.

# Timeline
day-today = Today
day-yesterday = Yesterday
timeline-start = The beginning of your conversation with { $name }. Only your two devices can read it.
timeline-new = new messages
timeline-you = you
timeline-below = more below ↓
timeline-failed = Not sent: { $reason } Alt-R sends it again.
note-key-changed = The key of { $name } changed: a new device or a reinstallation, or somebody in between. Compare the safety number (F4).
note-key-blocked = The key of { $name } changed after you verified it. Sending is stopped: F4 to compare or accept.
note-key-verified = You verified the key of { $name }.
note-key-accepted = You accepted the new key of { $name } without comparing it.
note-key-restored = The relay names the key of { $name } that you verified again. Sending goes on.
note-devices-refused = The relay showed a list of devices of { $name } that is old or does not hold. It was refused; if messages stop coming, ask who runs the relay.
note-other = A note of a newer version: { $name }
unreadable-unknown = A message of a newer version: update susurro to read it.
timeline-file = { $name }, { $size }: Alt-S saves it
timeline-file-own = { $name }, { $size }
timeline-file-under-way = { $name }, { $size }: { $percent } %
unreadable-no-session = A message from { $name } cannot be read: there is no session for it. It was asked for again; nothing to do.
unreadable-old-key = A message from { $name } cannot be read: it was made for a key that is gone. It was asked for again; nothing to do.
unreadable-too-far = A message from { $name } cannot be read: too many before it are missing. It was asked for again; nothing to do.
unreadable-tampered = A message said to be from { $name } was changed on the way or is not theirs. Ask { $name } another way, and compare the safety number (F4).
unreadable-version = A message from { $name } uses a newer version: update susurro to read it.
unreadable-malformed = A message from { $name } is not what it should be. Ask { $name } to send it again.

# Conversations
list-title = { "" } { $name }
list-loading = Reading…
list-empty = No conversations yet. Press Ctrl-N and type the name of somebody on your relay.
list-typing = typing…
list-draft = draft: { $text }
presence-here = here
chat-none-yet = Press Ctrl-N to write to somebody, F1 for help.
chat-none-open = Choose a conversation with ↑ ↓ and Enter, or press Ctrl-N to write to somebody new.
chat-empty = No messages with { $name } yet. What you write is encrypted for { $name } alone.
chat-loading = Reading the messages with { $name }…
composer-title = to { $name }
composer-typing = { $name } is typing…
composer-hint-list = Esc to write
composer-hint-timeline = Tab to write
too-small = This window is too small: { $now }. At least { $columns }×{ $rows } is needed.

# Notices
notice-reconnecting = Connecting now.
notice-presence-on = Your contacts see when you are here, and you see them. Switch it off with /presence off.
notice-presence-off = Nobody sees when you are here, and you see nobody.
notice-presence-usage = Write /presence on or /presence off.
notice-no-unread = No unread messages.
notice-unknown-command = There is no command /{ $word }, and it was not sent. Write //{ $word } to send it as text, or press Ctrl-P for the commands.
notice-not-sent-key = Not sent: the key of { $name } changed. Press F4 first; your text stays here.
notice-retrying = Queued again.
notice-saving = Fetching the file…
notice-saved = Saved: { $path }
notice-no-file = There is no file here.
notice-attach = Write /attach and the path of a file.
notice-attaching = Encrypting the file; it is sent as soon as it is uploaded.
notice-nothing-failed = There is no failed message here.
notice-nobody-to-verify = Open a conversation first.

# Windows
palette-title = Conversations and commands
palette-nothing = Nothing fits. Esc closes.
new-title = New conversation
new-label = Name of the person on your relay:
new-busy = Asking the relay…
new-keys = Enter begins · Esc closes
info-title = Times of the message
info-sent = Written
info-accepted = Taken by the relay
info-stored-there = Stored on their device
info-stored-here = Stored on this device
info-read = Read
info-state = State
help-title = Keys: { $place }
announcement-banner = ▌ Announcement of the relay (/announcements): { $text }
announcements-title = Announced by the relay { $relay }
announcements-times = { $made }, until { $ends }
announcements-none = The relay announces nothing.
help-foot = Esc closes
help-foot-more = ↑ ↓ scrolls · Esc closes
help-composer = Everything else is text. Pasting never sends. Ctrl-W deletes a word, Ctrl-K the rest of the line, Ctrl-U undoes. A word that begins with / is a command (/new, /verify, /next-unread, /quit …); // sends a slash.
place-list = list of conversations
place-timeline = messages
place-composer = writing
place-form = form

# Verification
verify-title = Safety number
verify-names = { $ours } (you) and { $theirs }
verify-loading = Computing…
verify-advice = Ask { $name } to open this screen too, and compare by voice or in person: all 60 digits must be the same on both sides. Only then press c.
verify-done = You compared this number. If the key of { $name } ever changes, sending stops and you are told.
verify-changed = The key of { $name } changed. A new device or a reinstallation does that; so does somebody in between. Compare all 60 digits with { $name }: c if they are the same, a to go on without comparing.
verify-blocked = The key of { $name } changed after you verified it, and sending is stopped. A new device or a reinstallation does that; so does somebody in between. Compare all 60 digits with { $name }: c if they are the same, a to go on without comparing.
verify-no-code = Make the window larger to see the code to scan as well.
verify-busy = Keeping your decision…
verify-keys = { "" } c they are the same · Esc back
verify-keys-changed = { "" } c they are the same · a accept · Esc back
verify-keys-back = { "" } Esc back

# First start
wizard-title = Welcome to Susurro: step { $step } of { $steps }
wizard-relay = Susurro carries your messages through a relay that cannot read them. Ask whoever runs yours for its address.
wizard-relay-field = Address of the relay
wizard-name = Others write to you under this name: 3 to 50 characters of a-z, 0-9, _ and -. It cannot be changed later.
wizard-name-field = Your name
wizard-password = The password shows the relay that it is you. The relay never sees it.
wizard-password-field = Password (at least 8 characters)
wizard-passphrase = The passphrase protects your keys and messages on this computer. You type it at each start. Nobody can recover it for you.
wizard-passphrase-field = Passphrase
wizard-again-field = Once more
wizard-busy = Making your keys and registering… this takes a few seconds.
wizard-invite = This relay takes registrations by invite. Ask whoever runs it for one.
wizard-invite-field = Invite
wizard-keys-first = Enter next · Ctrl-Q quit
wizard-keys = Enter next · Esc back · Ctrl-Q quit
unlock-title = Susurro is locked
unlock-text = Type the passphrase of the profile in { $profile }.
unlock-busy = Opening…
unlock-keys = Enter opens · Ctrl-Q quit

# Commands
command-quit = quit; drafts and queued messages are kept
command-help = show the keys of this place
command-palette = conversations and commands
command-new = write to somebody new
command-verify = compare the safety number
command-redraw = draw the screen anew
command-announcements = what the relay announces
command-presence = show your contacts when you are here, or no longer
command-reconnect = connect now
command-next-unread = next conversation with unread messages
command-next-chat = next conversation
command-previous-chat = previous conversation
command-focus-next = next part of the screen
command-focus-previous = previous part of the screen
command-back = back towards the list; close a window
command-send = send
command-newline = new line
command-up = up
command-down = down
command-page-up = one page up
command-page-down = one page down
command-top = to the beginning
command-bottom = to the end
command-open = open or go on
command-retry = send a failed message again
command-save = save the file of a message
command-attach = send a file: /attach PATH
command-info = times of the message
command-confirm = the safety number is the same
command-accept = go on with a changed key without comparing
label-send = send
label-newline = new line
label-help = help
label-palette = go to
label-next-unread = unread
label-new = new
label-open = open
label-info = times
label-retry = retry
label-save = save

# Errors: what failed, and the next step
error-name-length = A name has { $min } to { $max } characters.
error-name-characters = A name has only small letters a-z, digits, _ and -.
error-empty-message = There is nothing to send.
error-too-long = The message has { $bytes } bytes and { $max } fit into one. Split it; your text stays here.
error-yourself = That is your own name. Type somebody else's.
error-relay-url = That is not the address of a relay. It looks like https://relay.example or http://127.0.0.1:8080.
error-plain-http = http:// is only safe for a relay on this computer. Use https://.
error-weak-password = The password needs at least { $min } characters.
error-recovery-count = A recovery key has 24 words, these are { $count }: write all of them, with spaces in between.
error-recovery-unknown = Word { $place } is none of those that a recovery key has: check its spelling.
error-recovery-checksum = The words do not belong together: one of them is another, or stands in another place.
error-recovery-wrong = The name and the recovery key do not belong together, or the account has none.
error-this-device = That is this device: remove it from another one, or log out with susurro logout.
error-no-such-device = The account has no device of that identifier: susurro devices lists them.
error-empty-passphrase = The passphrase is empty. Type one: it protects the profile on this disk.
error-not-the-same = The two are not the same. Type the second one again.
error-invalid-invite = This relay takes registrations by invite, and this is none that is still good. Ask whoever runs it for one.
error-account-disabled = Whoever runs the relay has disabled this account. Ask them.
error-name-taken = Somebody has this name already. Choose another one.
error-unknown-peer = Nobody on this relay is called { $name }. Check the spelling.
error-rejected = The relay refused: { $reason }
error-no-profile = There is no profile here. Restart susurro to make one.
error-profile-exists = There is a profile here already. Quit (Ctrl-Q) and start again to open it, or use --profile with another directory.
error-other-account = This profile belongs to { $name }. Use --profile with another directory for another name.
error-unfinished = Registering as { $name } was begun here and not finished. Use the same name and password again.
error-no-prekeys = Their program has published no keys yet. Try again when they have been online.
error-unknown-message = This message is not here any more.
error-not-failed = Only a failed message can be sent again.
error-file-unreadable = { $path } cannot be sent ({ $cause }). Check the path.
error-file-too-large = The file has { $size }, an attachment at most { $max }. Split it, or send it another way.
error-file-there = { $path } is there already. Nothing is written over: name another file, or a directory.
error-file-unwritable = { $path } cannot be written ({ $cause }). Check the directory and free space.
error-no-attachment = This message has no file.
error-attachment-gone = The relay does not have the file any more. Ask for it again.
error-attachment-damaged = What the relay gave is not what was sent. Nothing was written; ask for the file again.
error-closed = The profile was closed. Restart susurro.
error-wrong-password = Wrong name or password.
error-logged-out = This device is logged out. Quit (Ctrl-Q) and run: susurro login
error-unknown-device = This device does not belong to the account. A lost profile is a new device, which this version cannot add.
error-unreachable = No relay answers at { $relay } ({ $cause }). Check the address and the network, then press Enter again.
error-certificate = The certificate of { $relay } is not one that this computer trusts ({ $cause }). If it is of an authority of your own, start the program with SSL_CERT_FILE naming that authority's certificate.
error-not-a-relay = What answers at { $relay } is not a relay of this version. Check the address.
error-timeout = The relay took too long. Try again.
error-relay-busy = The relay has too much to do. Try again in a while.
error-superseded = Another program is connected as this device. Close one of the two.
error-relay-key = The relay shows the key { $offered }, but { $pinned } is the known one. It was set up anew, or somebody stands in between: ask who runs it.
error-contact-key = The key of { $name } changed after you verified it. Press F4 to compare or accept.
error-unsafe-parameters = The relay asks for a weaker protection of the password than is safe. Nothing was sent; ask who runs it.
error-locked = Another program uses this profile. Close it, then try again.
error-wrong-passphrase = Wrong passphrase. Type it again.
error-damaged = { $what } is damaged. Nothing was changed: restore the profile from a copy, or move it aside.
error-newer = A newer version wrote this profile. Update susurro.
error-io = The profile cannot be read or written ({ $cause }). Check free space and permissions.
reason-too-large = it is too large for the relay.
reason-mailbox-full = their mailbox is full; wait until they have been online.
reason-blob-quota = your files at the relay take all the room you have there; wait until some are saved or expire.
reason-unknown-chat = the relay does not know this conversation.
reason-not-found = nobody on this relay has that name.
reason-no-prekeys = their program has published no keys yet; wait until they have been online.
reason-stale-devices = their devices changed meanwhile.
reason-relay-busy = the relay cannot take it now.
reason-registration-closed = this relay takes no new accounts.
reason-forbidden = it is not allowed.

# Command line: what failed

cli-failed-screen = The full screen did not start.
cli-failed-register = No account was made.
cli-failed-login = Not logged in.
cli-password-changed = The password is changed. Every other login of this account has ended.
cli-account-deleted = The account is deleted. This profile can still be read; remove its directory when you need it no longer.
cli-account-and-profile-deleted = The account is deleted, and this profile with it.
cli-recovery-made = Write these { $words } words down and keep them away from this machine: they are not shown again, and an earlier recovery key is no longer good. With them and this profile you can set a new password (susurro recover). They do not bring a lost profile back.
cli-recovery-removed = The account has no recovery key any longer.
cli-recovered = The password is changed, and this device is logged in. Every other login of this account has ended.
cli-name-set = Others see you as { $name }.
cli-name-removed = Others see only the name of your account.
cli-device-removed = The device is removed: it is logged out, and nobody encrypts for it any longer.
cli-this-device = this device
cli-failed-recovery = The recovery key is not changed, as far as is known. Whether an earlier one is still good is not known when the relay did not answer: run this again then.
cli-failed-recover = The account is not recovered.
cli-failed-name = The name is not changed.
cli-failed-devices = No devices.
cli-failed-remove-device = The device is not removed.
cli-failed-password = The password is not changed.
cli-failed-delete = The account is not deleted.
cli-failed-logout = Not logged out.
cli-failed-send = The message was not sent, and it was not kept.
cli-failed-kept = The relay has not confirmed the message yet.
cli-failed-confirmed = The relay has the message, but it is not confirmed as stored.
cli-failed-failed = The message failed.
cli-failed-sync = Not everything is sent and fetched.
cli-failed-recv = Not all messages were received.
cli-failed-history = The conversation cannot be shown.
cli-failed-save = The file was not saved.
cli-failed-chats = The conversations cannot be listed.
cli-failed-settings = The settings cannot be read or changed.
cli-failed-presence = It is not known who is there, or the setting is not changed.
cli-failed-announcements = The announcements cannot be read.
cli-announcement = The relay announces: { $text }
cli-settings-typing-on = typing: on (typing is told to others, and theirs shown)
cli-settings-typing-off = typing: off (typing is neither told nor shown)
cli-presence-on = presence: on (contacts see when you are connected, and you see them)
cli-presence-off = presence: off (nobody sees when you are connected, and you see nobody)
cli-presence-there = { $name } is here
cli-failed-verify = Nothing was verified.
cli-failed-doctor = The check did not run.
cli-failed-demo = The demonstration failed.
cli-failed-generate = Nothing was printed.

# Command line: why, and what to do

cli-no-password = There is no password: set SUSURRO_PASSWORD, name a file with --password-file, or run this in a terminal to be asked.
cli-no-recovery = No recovery key was given: name a file with --recovery-file, set SUSURRO_RECOVERY, or run this in a terminal.
cli-no-passphrase = There is no passphrase: set SUSURRO_PASSPHRASE, name a file with --passphrase-file, or run this in a terminal to be asked.
cli-secret-file-unreadable = { $path } cannot be read ({ $cause }). Check the path and the permissions.
cli-secret-file-empty = { $path } holds no secret. Write it into the first line.
cli-secret-file-not-text = { $path } is not a secret in UTF-8. Check the path.
cli-secret-file-open = susurro: other users of this machine can read { $path }. Close it with: chmod 600
cli-secrets-differ = The two entries differ. Try again.
cli-variable-not-text = The value of { $name } is not UTF-8. Set it anew, or use a file.
cli-no-profile-directory = It is not known where the profile is: name its directory with --profile or SUSURRO_PROFILE.
cli-no-terminal = The full screen needs a terminal on stdin and stdout. For scripts there are commands: susurro --help
cli-terminal = The terminal cannot be used ({ $cause }).
cli-not-utf8 = The text on stdin is not UTF-8. Convert it first, for example with iconv.
cli-input = Stdin cannot be read ({ $cause }).
cli-output = Stdout cannot be written ({ $cause }). Make room and run the command again: what was not written comes again.
cli-too-few = { $came } of { $wanted } messages came before the time ran out. The next call goes on from here.
cli-kept = It is kept in the outbox and is sent once, with the next connection: run susurro sync, and do not send it again.
cli-not-stored = No device of { $name } has confirmed it in time; they may be offline. It is not lost and need not be sent again: susurro history { $name } shows when it is stored.
cli-still-queued = { $count ->
    [one] One message stays in the outbox
   *[other] { $count } messages stay in the outbox
} and will be sent with the next connection.
cli-no-conversation = There is no conversation with { $name }. susurro chats lists those that there are.
cli-no-new-key = The key of { $name } has not changed, so there is none to accept.
cli-other-fingerprint = The key that the relay names for { $name } now is { $offered }, another one than you gave. Nothing was accepted. Ask { $name } over another way which key is theirs.
cli-no-such-command = There is no command { $name }. susurro --help lists them.
cli-log = Logs cannot be written: { $cause }
cli-system = The system refused ({ $cause }).
cli-error-too-long = The message has { $bytes } bytes and { $max } fit into one. Split it.
cli-error-no-profile = There is no profile in { $profile }. Make one with susurro register, or name another directory with --profile. A profile that was lost cannot be fetched back by logging in: its keys were only in it.
cli-error-profile-exists = There is a profile in { $profile } already. Log in with it (susurro login), or name another directory with --profile.
cli-error-closed = The profile was closed while the command ran. Run it again.
cli-error-logged-out = This device is logged out. Log in again: susurro login
cli-error-unreachable = No relay answers at { $relay } ({ $cause }). Check the address and the network, then run the command again.
cli-error-timeout = The relay took too long. Try again, or allow more with --timeout.
cli-error-contact-key = The key of { $name } changed after you verified it. Nothing is sent until you decide: susurro verify { $name }
cli-error-wrong-passphrase = Wrong passphrase. Nothing was changed.

# Command line: what was done

cli-registered = { $name } is registered at { $relay } and logged in.
    The key of this relay is { $fingerprint }; whoever runs it can confirm that.
cli-logged-in = { $name } is logged in at { $relay }.
cli-logged-out = Logged out. The profile stays here; susurro login brings it back.
cli-queued = { $count ->
    [one] Kept. One message waits in the outbox
   *[other] Kept. { $count } messages wait in the outbox
}; susurro sync or the next start sends it.
cli-synced = Everything is sent and fetched.
cli-synced-waiting = Everything is sent and fetched. New messages wait for susurro recv.
cli-lost = The connection is lost; trying again.
cli-back = The connection is back.
cli-verified = { $theirs } is verified now.
cli-verify-unverified = { $ours } and { $theirs } see the same digits when nobody stands in between. Compare them over another way, then: susurro verify { $theirs } --confirm
cli-verify-verified = { $theirs } is verified.
cli-verify-changed = The key of { $theirs } has changed since the first contact, and was never verified. Compare the digits, then: susurro verify { $theirs } --confirm
cli-verify-blocked = The key of { $theirs } has changed after you verified it: a new installation, or somebody in between. Nothing is sent until you decide. Compare the digits, then: susurro verify { $theirs } --confirm
cli-verify-offered = The new key of { $theirs } is { $offered }. To take it without comparing the digits: susurro verify { $theirs } --accept-new-key "{ $offered }"
cli-key-accepted = The new key of { $theirs } is accepted, not verified. Messages are sent again.

# Command line: questions

cli-ask-password = Password of the account:
cli-ask-new-password = New password of the account:
cli-ask-recovery = The 24 words of the recovery key:
cli-ask-password-again = The same password again:
cli-ask-invite = Invite to the relay:
cli-ask-passphrase = Passphrase of the profile:
cli-ask-new-passphrase = New passphrase for the profile on this machine:
cli-ask-passphrase-again = The same passphrase again:

# Demonstration

demo-starting = Starting a relay and two people; the first seconds go into stretching their passwords.
demo-relay-sees = what the relay sees
demo-types = { $name } ✎
demo-watches = { $name }
demo-keys = F2 the other side · F3 the relay off or on · Ctrl-Q quit
demo-keys-script = Ctrl-Q quit
demo-relay = relay
demo-writes = writes
demo-reads = reads
demo-stored = stored
demo-delivered = delivered
demo-acknowledged = forgotten
demo-stage-connected = Alice and Bob are connected
demo-stage-away = Bob is offline
demo-stage-back = Bob is back
demo-stage-killed = The relay is killed (kill -9)
demo-stage-restarted = The relay runs again on the same files
demo-summary =

    All { $count } messages arrived once, in order, and are stored on the other side.
    Bob was offline once, the relay was killed and started again once.
    { $files } files of the relay ({ $bytes } bytes: database, write-ahead log, log at trace level) were searched for every text,
    password and passphrase, raw, in hexadecimal and in base64: nothing was found.
