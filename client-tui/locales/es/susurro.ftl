# The words of the interface. Text from others is cleaned before it gets here.

# Status line
status-connected = conectado
status-connecting = conectando…
status-offline = sin conexión: los mensajes esperan aquí hasta que conectes (F5)
status-reconnecting = reconexión en { $seconds } s: { $reason }
status-blocked = sin conexión: { $reason }
status-store-failed = falló el almacén local ({ $what }). No se guarda nada nuevo: libera espacio y reinicia
status-queued = { $count } en cola
trouble-unreachable = el relé no responde
trouble-not-a-relay = lo que responde en esa dirección no es un relé de esta versión
trouble-going-away = el relé se reinicia
trouble-overloaded = el relé está sobrecargado
trouble-lost = se perdió la conexión
trouble-superseded = otro programa usa este dispositivo: ciérralo y pulsa F5
trouble-relay-key = el relé muestra otra clave que antes. Pregunta a quien lo gestiona; hasta entonces no se envía nada
trouble-logged-out = sesión cerrada. Sal (Ctrl-Q) y ejecuta: susurro login

# Delivery and trust
delivery-queued = en cola
delivery-accepted = aceptado
delivery-stored = guardado
delivery-read = leído
delivery-failed = falló
trust-unverified = sin verificar
trust-verified = verificado
trust-changed = clave cambiada
trust-blocked = clave cambiada, envío detenido
banner-key-changed = La clave de { $name } cambió después de verificarla. No se envía nada hasta que decidas: pulsa F4 para comparar o aceptar.

# Timeline
day-today = Hoy
day-yesterday = Ayer
timeline-start = El comienzo de tu conversación con { $name }. Solo vuestros dos dispositivos pueden leerla.
timeline-new = mensajes nuevos
timeline-you = tú
timeline-below = más abajo ↓
timeline-failed = No enviado: { $reason } Alt-R lo envía otra vez.
note-key-changed = La clave de { $name } cambió: un dispositivo nuevo, una reinstalación o alguien en medio. Compara el número de seguridad (F4).
note-key-blocked = La clave de { $name } cambió después de verificarla. El envío está detenido: F4 para comparar o aceptar.
note-key-verified = Verificaste la clave de { $name }.
note-key-accepted = Aceptaste la clave nueva de { $name } sin compararla.
note-key-restored = El relé vuelve a dar la clave de { $name } que verificaste. El envío continúa.
note-devices-refused = El relé mostró una lista de dispositivos de { $name } antigua o que no es válida. Se rechazó; si dejan de llegar mensajes, pregunta a quien gestiona el relé.
note-other = Una nota de una versión más nueva: { $name }
unreadable-unknown = Un mensaje de una versión más nueva: actualiza susurro para leerlo.
timeline-file = { $name }, { $size }: Alt-S lo guarda
timeline-file-own = { $name }, { $size }
timeline-file-under-way = { $name }, { $size }: { $percent } %
unreadable-no-session = No se puede leer un mensaje de { $name }: no hay sesión para él. Ya se pidió otra vez; no hay que hacer nada.
unreadable-old-key = No se puede leer un mensaje de { $name }: usa una clave que ya no existe. Ya se pidió otra vez; no hay que hacer nada.
unreadable-too-far = No se puede leer un mensaje de { $name }: faltan demasiados antes. Ya se pidió otra vez; no hay que hacer nada.
unreadable-tampered = Un mensaje que dice ser de { $name } fue alterado o no es suyo. Pregúntale por otro medio y compara el número de seguridad (F4).
unreadable-version = Un mensaje de { $name } usa una versión más nueva: actualiza susurro para leerlo.
unreadable-malformed = Un mensaje de { $name } no es lo que debería. Pide a { $name } que lo repita.

# Conversations
list-title = { "" } { $name }
list-loading = Leyendo…
list-empty = Aún no hay conversaciones. Pulsa Ctrl-N y escribe el nombre de alguien de tu relé.
list-typing = escribiendo…
list-draft = borrador: { $text }
presence-here = aquí
chat-none-yet = Pulsa Ctrl-N para escribir a alguien, F1 para la ayuda.
chat-none-open = Elige una conversación con ↑ ↓ y Enter, o pulsa Ctrl-N para escribir a alguien nuevo.
chat-empty = Aún no hay mensajes con { $name }. Lo que escribas se cifra solo para { $name }.
chat-loading = Leyendo los mensajes con { $name }…
composer-title = para { $name }
composer-typing = { $name } está escribiendo…
composer-hint-list = Esc para escribir
composer-hint-timeline = Tab para escribir
too-small = Esta ventana es muy pequeña: { $now }. Hacen falta al menos { $columns }×{ $rows }.

# Notices
notice-reconnecting = Conectando ahora.
notice-presence-on = Tus contactos ven cuándo estás aquí, y tú a ellos. Se desactiva con /presence off.
notice-presence-off = Nadie ve cuándo estás aquí, y tú no ves a nadie.
notice-presence-usage = Escribe /presence on o /presence off.
notice-no-unread = No hay mensajes sin leer.
notice-unknown-command = No existe la orden /{ $word } y no se envió. Escribe //{ $word } para enviarla como texto, o pulsa Ctrl-P para ver las órdenes.
notice-not-sent-key = No enviado: la clave de { $name } cambió. Pulsa F4 primero; tu texto sigue aquí.
notice-retrying = De nuevo en cola.
notice-saving = Descargando el archivo…
notice-saved = Guardado: { $path }
notice-no-file = Aquí no hay ningún archivo.
notice-attach = Escribe /attach y la ruta de un archivo.
notice-attaching = Cifrando el archivo; se envía en cuanto esté subido.
notice-nothing-failed = Aquí no hay ningún mensaje fallido.
notice-nobody-to-verify = Abre primero una conversación.

# Windows
palette-title = Conversaciones y órdenes
palette-nothing = Nada coincide. Esc cierra.
new-title = Conversación nueva
new-label = Nombre de la persona en tu relé:
new-busy = Preguntando al relé…
new-keys = Enter empieza · Esc cierra
info-title = Horas del mensaje
info-sent = Escrito
info-accepted = Aceptado por el relé
info-stored-there = Guardado en su dispositivo
info-stored-here = Guardado en este dispositivo
info-read = Leído
info-state = Estado
help-title = Teclas: { $place }
announcement-banner = ▌ Anuncio del relay (/announcements): { $text }
announcements-title = Anunciado por el relay { $relay }
announcements-times = { $made }, hasta { $ends }
announcements-none = El relay no anuncia nada.
help-foot = Esc cierra
help-foot-more = ↑ ↓ desplaza · Esc cierra
help-composer = Todo lo demás es texto. Pegar nunca envía. Ctrl-W borra una palabra, Ctrl-K el resto de la línea, Ctrl-U deshace. Una palabra que empieza con / es una orden (/new, /verify, /next-unread, /quit …); // envía una barra.
place-list = lista de conversaciones
place-timeline = mensajes
place-composer = escritura
place-form = formulario

# Verification
verify-title = Número de seguridad
verify-names = { $ours } (tú) y { $theirs }
verify-loading = Calculando…
verify-advice = Pide a { $name } que abra también esta pantalla y comparad de voz o en persona: los 60 dígitos deben ser iguales en ambos lados. Solo entonces pulsa c.
verify-done = Ya comparaste este número. Si la clave de { $name } cambia, el envío se detiene y se te avisa.
verify-changed = La clave de { $name } cambió. Lo causa un dispositivo nuevo o una reinstalación; también alguien en medio. Compara los 60 dígitos con { $name }: c si son iguales, a para seguir sin comparar.
verify-blocked = La clave de { $name } cambió después de verificarla y el envío está detenido. Lo causa un dispositivo nuevo o una reinstalación; también alguien en medio. Compara los 60 dígitos con { $name }: c si son iguales, a para seguir sin comparar.
verify-no-code = Agranda la ventana para ver también el código que se escanea.
verify-busy = Guardando tu decisión…
verify-keys = { "" } c son iguales · Esc volver
verify-keys-changed = { "" } c son iguales · a aceptar · Esc volver
verify-keys-back = { "" } Esc volver

# First start
wizard-title = Bienvenido a Susurro: paso { $step } de { $steps }
wizard-relay = Susurro lleva tus mensajes por un relé que no puede leerlos. Pide su dirección a quien lo gestiona.
wizard-relay-field = Dirección del relé
wizard-name = Los demás te escriben con este nombre: de 3 a 50 caracteres a-z, 0-9, _ y -. No se puede cambiar después.
wizard-name-field = Tu nombre
wizard-password = La contraseña demuestra al relé que eres tú. El relé nunca la ve.
wizard-password-field = Contraseña (al menos 8 caracteres)
wizard-passphrase = La frase de paso protege tus claves y mensajes en este ordenador. La escribes en cada inicio. Nadie puede recuperarla por ti.
wizard-passphrase-field = Frase de paso
wizard-again-field = Otra vez
wizard-busy = Creando tus claves y registrando… tarda unos segundos.
wizard-invite = Este relé admite registros por invitación. Pide una a quien lo gestiona.
wizard-invite-field = Invitación
wizard-keys-first = Enter siguiente · Ctrl-Q salir
wizard-keys = Enter siguiente · Esc atrás · Ctrl-Q salir
unlock-title = Susurro está bloqueado
unlock-text = Escribe la frase de paso del perfil en { $profile }.
unlock-busy = Abriendo…
unlock-keys = Enter abre · Ctrl-Q salir

# Commands
command-quit = salir; se guardan borradores y mensajes en cola
command-help = mostrar las teclas de este lugar
command-palette = conversaciones y órdenes
command-new = escribir a alguien nuevo
command-verify = comparar el número de seguridad
command-redraw = dibujar la pantalla de nuevo
command-announcements = lo que anuncia el relay
command-presence = mostrar a tus contactos cuándo estás aquí, o dejar de hacerlo
command-reconnect = conectar ahora
command-next-unread = siguiente conversación con mensajes sin leer
command-next-chat = conversación siguiente
command-previous-chat = conversación anterior
command-focus-next = siguiente parte de la pantalla
command-focus-previous = parte anterior de la pantalla
command-back = volver hacia la lista; cerrar una ventana
command-send = enviar
command-newline = línea nueva
command-up = arriba
command-down = abajo
command-page-up = una página arriba
command-page-down = una página abajo
command-top = al principio
command-bottom = al final
command-open = abrir o seguir
command-retry = enviar otra vez un mensaje fallido
command-save = guardar el archivo de un mensaje
command-attach = enviar un archivo: /attach RUTA
command-info = horas del mensaje
command-confirm = el número de seguridad es igual
command-accept = seguir con una clave cambiada sin comparar
label-send = enviar
label-newline = línea nueva
label-help = ayuda
label-palette = ir a
label-next-unread = sin leer
label-new = nueva
label-open = abrir
label-info = horas
label-retry = reintentar
label-save = guardar

# Errors: what failed, and the next step
error-name-length = Un nombre tiene de { $min } a { $max } caracteres.
error-name-characters = Un nombre solo tiene letras minúsculas a-z, cifras, _ y -.
error-empty-message = No hay nada que enviar.
error-too-long = El mensaje tiene { $bytes } bytes y caben { $max }. Divídelo; tu texto sigue aquí.
error-yourself = Ese es tu propio nombre. Escribe el de otra persona.
error-relay-url = Esa no es la dirección de un relé. Tiene la forma https://relay.example o http://127.0.0.1:8080.
error-plain-http = http:// solo es seguro para un relé en este ordenador. Usa https://.
error-weak-password = La contraseña necesita al menos { $min } caracteres.
error-recovery-count = Una clave de recuperación tiene 24 palabras, estas son { $count }: escríbelas todas, separadas por espacios.
error-recovery-unknown = La palabra { $place } no es de las que tiene una clave de recuperación: revisa cómo está escrita.
error-recovery-checksum = Las palabras no casan: una es otra o está en otro lugar.
error-recovery-wrong = El nombre y la clave de recuperación no casan, o la cuenta no tiene ninguna.
error-this-device = Es este dispositivo: retíralo desde otro, o cierra la sesión con susurro logout.
error-no-such-device = La cuenta no tiene ningún dispositivo con ese identificador: susurro devices los muestra.
error-empty-passphrase = La frase de paso está vacía. Escribe una: protege el perfil en este disco.
error-not-the-same = Las dos no son iguales. Escribe otra vez la segunda.
error-invalid-invite = Este relé admite registros por invitación, y esta no vale o ya no vale. Pide una a quien lo gestiona.
error-account-disabled = Quien gestiona el relé ha desactivado esta cuenta. Pregúntale.
error-name-taken = Alguien ya tiene ese nombre. Elige otro.
error-unknown-peer = Nadie en este relé se llama { $name }. Revisa cómo se escribe.
error-rejected = El relé se negó: { $reason }
error-no-profile = Aquí no hay ningún perfil. Reinicia susurro para crear uno.
error-profile-exists = Aquí ya hay un perfil. Sal (Ctrl-Q) y vuelve a empezar para abrirlo, o usa --profile con otro directorio.
error-other-account = Este perfil es de { $name }. Usa --profile con otro directorio para otro nombre.
error-unfinished = El registro como { $name } empezó aquí y no terminó. Usa otra vez el mismo nombre y contraseña.
error-no-prekeys = Su programa aún no ha publicado claves. Prueba cuando haya estado en línea.
error-unknown-message = Ese mensaje ya no está aquí.
error-not-failed = Solo se puede enviar otra vez un mensaje fallido.
error-file-unreadable = No se puede enviar { $path } ({ $cause }). Comprueba la ruta.
error-file-too-large = El archivo tiene { $size } y un adjunto admite { $max } como mucho. Divídelo o envíalo por otra vía.
error-file-there = { $path } ya existe. No se sobrescribe nada: indica otro archivo o un directorio.
error-file-unwritable = No se puede escribir { $path } ({ $cause }). Comprueba el directorio y el espacio libre.
error-no-attachment = Este mensaje no tiene ningún archivo.
error-attachment-gone = El relé ya no tiene el archivo. Pide que te lo envíen otra vez.
error-attachment-damaged = Lo que dio el relé no es lo que se envió. No se escribió nada; pide el archivo otra vez.
error-closed = El perfil se cerró. Reinicia susurro.
error-wrong-password = Nombre o contraseña incorrectos.
error-logged-out = Este dispositivo cerró la sesión. Sal (Ctrl-Q) y ejecuta: susurro login
error-unknown-device = Este dispositivo no es de la cuenta. Un perfil perdido es un dispositivo nuevo, que esta versión no puede añadir.
error-unreachable = Ningún relé responde en { $relay } ({ $cause }). Revisa la dirección y la red, y pulsa Enter otra vez.
error-certificate = El certificado de { $relay } no es uno en el que confíe este ordenador ({ $cause }). Si es de una autoridad tuya, inicia el programa con SSL_CERT_FILE y el certificado de esa autoridad.
error-not-a-relay = Lo que responde en { $relay } no es un relé de esta versión. Revisa la dirección.
error-timeout = El relé tardó demasiado. Prueba otra vez.
error-relay-busy = El relé tiene demasiado trabajo. Prueba dentro de un rato.
error-superseded = Otro programa está conectado como este dispositivo. Cierra uno de los dos.
error-relay-key = El relé muestra la clave { $offered }, pero la conocida es { $pinned }. Se instaló de nuevo o hay alguien en medio: pregunta a quien lo gestiona.
error-contact-key = La clave de { $name } cambió después de verificarla. Pulsa F4 para comparar o aceptar.
error-unsafe-parameters = El relé pide una protección de la contraseña menor de lo seguro. No se envió nada; pregunta a quien lo gestiona.
error-locked = Otro programa usa este perfil. Ciérralo y prueba otra vez.
error-wrong-passphrase = Frase de paso incorrecta. Escríbela otra vez.
error-damaged = { $what } está dañado. No se cambió nada: restaura el perfil de una copia o apártalo.
error-newer = Una versión más nueva escribió este perfil. Actualiza susurro.
error-io = No se puede leer o escribir el perfil ({ $cause }). Revisa el espacio libre y los permisos.
reason-too-large = es demasiado grande para el relé.
reason-mailbox-full = su buzón está lleno; espera a que se conecte.
reason-blob-quota = tus archivos ocupan todo el espacio que tienes en el relé; espera a que se guarden o caduquen.
reason-unknown-chat = el relé no conoce esta conversación.
reason-not-found = nadie en este relé tiene ese nombre.
reason-no-prekeys = su programa aún no ha publicado claves; espera a que se conecte.
reason-stale-devices = sus dispositivos cambiaron entretanto.
reason-relay-busy = el relé no puede aceptarlo ahora.
reason-registration-closed = este relé no admite cuentas nuevas.
reason-forbidden = no está permitido.

# Command line: what failed

cli-failed-screen = No se pudo abrir la pantalla completa.
cli-failed-register = No se creó ninguna cuenta.
cli-failed-login = No se inició la sesión.
cli-password-changed = La contraseña ha cambiado. Todas las demás sesiones de esta cuenta han terminado.
cli-account-deleted = La cuenta está borrada. Este perfil aún se puede leer; borra su directorio cuando ya no lo necesites.
cli-account-and-profile-deleted = La cuenta está borrada, y con ella este perfil.
cli-recovery-made = Anota estas { $words } palabras y guárdalas lejos de esta máquina: no se vuelven a mostrar, y una clave de recuperación anterior ya no vale. Con ellas y este perfil puedes poner una contraseña nueva (susurro recover). No devuelven un perfil perdido.
cli-recovery-removed = La cuenta ya no tiene clave de recuperación.
cli-recovered = La contraseña ha cambiado y este dispositivo tiene la sesión iniciada. Todas las demás sesiones de esta cuenta han terminado.
cli-name-set = Los demás te ven como { $name }.
cli-name-removed = Los demás solo ven el nombre de tu cuenta.
cli-device-removed = El dispositivo está retirado: su sesión ha terminado y nadie cifra ya para él.
cli-this-device = este dispositivo
cli-failed-recovery = La clave de recuperación no ha cambiado, que se sepa. Si el relé no respondió, no se sabe si una anterior aún vale: ejecuta esto otra vez.
cli-failed-recover = La cuenta no se ha recuperado.
cli-failed-name = El nombre no ha cambiado.
cli-failed-devices = No hay dispositivos.
cli-failed-remove-device = El dispositivo no se ha retirado.
cli-failed-password = La contraseña no ha cambiado.
cli-failed-delete = La cuenta no se ha borrado.
cli-failed-logout = No se cerró la sesión.
cli-failed-send = El mensaje no se envió ni se guardó.
cli-failed-kept = El relé aún no ha confirmado el mensaje.
cli-failed-confirmed = El relé tiene el mensaje, pero no consta que esté guardado.
cli-failed-failed = El mensaje falló.
cli-failed-sync = No todo está enviado y recibido.
cli-failed-recv = No se recibieron todos los mensajes.
cli-failed-history = No se puede mostrar la conversación.
cli-failed-save = El archivo no se guardó.
cli-failed-chats = No se pueden listar las conversaciones.
cli-failed-settings = No se pueden leer ni cambiar los ajustes.
cli-failed-presence = No se sabe quién está, o no se ha cambiado el ajuste.
cli-failed-announcements = No se pueden leer los anuncios.
cli-announcement = El relay anuncia: { $text }
cli-settings-typing-on = typing: on (se avisa a los demás de que escribes, y se muestra cuando escriben)
cli-settings-typing-off = typing: off (ni se avisa ni se muestra que alguien escribe)
cli-presence-on = presence: on (tus contactos ven cuándo estás conectado, y tú a ellos)
cli-presence-off = presence: off (nadie ve cuándo estás conectado, y tú no ves a nadie)
cli-presence-there = { $name } está aquí
cli-failed-verify = No se verificó nada.
cli-failed-doctor = No se hizo la comprobación.
cli-failed-demo = La demostración falló.
cli-failed-generate = No se imprimió nada.

# Command line: why, and what to do

cli-no-password = No hay contraseña: define SUSURRO_PASSWORD, indica un archivo con --password-file o ejecuta esto en una terminal para que se te pregunte.
cli-no-recovery = No se dio ninguna clave de recuperación: indica un archivo con --recovery-file, define SUSURRO_RECOVERY o ejecuta esto en una terminal.
cli-no-passphrase = No hay frase de paso: define SUSURRO_PASSPHRASE, indica un archivo con --passphrase-file o ejecuta esto en una terminal para que se te pregunte.
cli-secret-file-unreadable = No se puede leer { $path } ({ $cause }). Comprueba la ruta y los permisos.
cli-secret-file-empty = { $path } no contiene ningún secreto. Escríbelo en la primera línea.
cli-secret-file-not-text = { $path } no es un secreto en UTF-8. Comprueba la ruta.
cli-secret-file-open = susurro: otros usuarios de este equipo pueden leer { $path }. Ciérralo con: chmod 600
cli-secrets-differ = Las dos entradas son distintas. Inténtalo de nuevo.
cli-variable-not-text = El valor de { $name } no es UTF-8. Defínelo de nuevo o usa un archivo.
cli-no-profile-directory = No se sabe dónde está el perfil: indica su directorio con --profile o SUSURRO_PROFILE.
cli-no-terminal = La pantalla completa necesita una terminal en stdin y stdout. Para scripts hay comandos: susurro --help
cli-terminal = No se puede usar la terminal ({ $cause }).
cli-not-utf8 = El texto de stdin no es UTF-8. Conviértelo antes, por ejemplo con iconv.
cli-input = No se puede leer stdin ({ $cause }).
cli-output = No se puede escribir en stdout ({ $cause }). Haz sitio y repite el comando: lo que no se escribió vuelve a salir.
cli-too-few = Llegaron { $came } de { $wanted } mensajes antes de acabarse el tiempo. La próxima llamada sigue desde aquí.
cli-kept = Queda en la bandeja de salida y se envía una sola vez, con la próxima conexión: ejecuta susurro sync y no lo envíes de nuevo.
cli-not-stored = Ningún dispositivo de { $name } lo confirmó a tiempo; puede que no tenga conexión. No se ha perdido ni hay que enviarlo de nuevo: susurro history { $name } muestra cuándo queda guardado.
cli-still-queued = { $count ->
    [one] Un mensaje queda en la bandeja de salida
   *[other] { $count } mensajes quedan en la bandeja de salida
} y se enviará con la próxima conexión.
cli-no-conversation = No hay ninguna conversación con { $name }. susurro chats lista las que hay.
cli-no-new-key = La clave de { $name } no ha cambiado, así que no hay ninguna que aceptar.
cli-other-fingerprint = La clave que el relé da ahora para { $name } es { $offered }, distinta de la que indicaste. No se aceptó nada. Pregunta a { $name } por otra vía cuál es la suya.
cli-no-such-command = No existe el comando { $name }. susurro --help los lista.
cli-log = No se pueden escribir los registros: { $cause }
cli-system = El sistema lo rechazó ({ $cause }).
cli-error-too-long = El mensaje tiene { $bytes } bytes y en uno caben { $max }. Divídelo.
cli-error-no-profile = No hay ningún perfil en { $profile }. Crea uno con susurro register o indica otro directorio con --profile. Un perfil perdido no se recupera iniciando sesión: sus claves solo estaban en él.
cli-error-profile-exists = Ya hay un perfil en { $profile }. Inicia sesión con él (susurro login) o indica otro directorio con --profile.
cli-error-closed = El perfil se cerró durante el comando. Ejecútalo de nuevo.
cli-error-logged-out = Este dispositivo no tiene la sesión iniciada. Iníciala de nuevo: susurro login
cli-error-unreachable = Ningún relé responde en { $relay } ({ $cause }). Comprueba la dirección y la red y repite el comando.
cli-error-timeout = El relé tardó demasiado. Inténtalo de nuevo o da más tiempo con --timeout.
cli-error-contact-key = La clave de { $name } cambió después de que la verificaras. No se envía nada hasta que decidas: susurro verify { $name }
cli-error-wrong-passphrase = Frase de paso incorrecta. No se cambió nada.

# Command line: what was done

cli-registered = { $name } tiene cuenta en { $relay } y la sesión iniciada.
    La clave de este relé es { $fingerprint }; quien lo administra puede confirmarla.
cli-logged-in = { $name } tiene la sesión iniciada en { $relay }.
cli-logged-out = Sesión cerrada. El perfil se queda aquí; susurro login lo recupera.
cli-queued = { $count ->
    [one] Guardado. Un mensaje espera en la bandeja de salida
   *[other] Guardado. { $count } mensajes esperan en la bandeja de salida
}; susurro sync o el próximo inicio lo envía.
cli-synced = Todo está enviado y recibido.
cli-synced-waiting = Todo está enviado y recibido. Hay mensajes nuevos para susurro recv.
cli-lost = Se perdió la conexión; reintentando.
cli-back = La conexión ha vuelto.
cli-verified = { $theirs } queda verificado.
cli-verify-unverified = { $ours } y { $theirs } ven las mismas cifras si no hay nadie en medio. Compárenlas por otra vía y después: susurro verify { $theirs } --confirm
cli-verify-verified = { $theirs } está verificado.
cli-verify-changed = La clave de { $theirs } ha cambiado desde el primer contacto y nunca se verificó. Comparen las cifras y después: susurro verify { $theirs } --confirm
cli-verify-blocked = La clave de { $theirs } cambió después de que la verificaras: una instalación nueva, o alguien en medio. No se envía nada hasta que decidas. Comparen las cifras y después: susurro verify { $theirs } --confirm
cli-verify-offered = La nueva clave de { $theirs } es { $offered }. Para aceptarla sin comparar las cifras: susurro verify { $theirs } --accept-new-key "{ $offered }"
cli-key-accepted = La nueva clave de { $theirs } queda aceptada, sin verificar. Se vuelven a enviar mensajes.

# Command line: questions

cli-ask-password = Contraseña de la cuenta:
cli-ask-new-password = Nueva contraseña de la cuenta:
cli-ask-recovery = Las 24 palabras de la clave de recuperación:
cli-ask-password-again = La misma contraseña otra vez:
cli-ask-invite = Invitación al relé:
cli-ask-passphrase = Frase de paso del perfil:
cli-ask-new-passphrase = Nueva frase de paso para el perfil en este equipo:
cli-ask-passphrase-again = La misma frase de paso otra vez:

# Demonstration

demo-starting = Arrancando un relé y dos personas; los primeros segundos se van en reforzar sus contraseñas.
demo-relay-sees = lo que ve el relé
demo-types = { $name } ✎
demo-watches = { $name }
demo-keys = F2 el otro lado · F3 relé sí o no · Ctrl-Q salir
demo-keys-script = Ctrl-Q salir
demo-relay = relé
demo-writes = escribe
demo-reads = lee
demo-stored = guardado
demo-delivered = entregado
demo-acknowledged = olvidado
demo-stage-connected = Alice y Bob están conectados
demo-stage-away = Bob está sin conexión
demo-stage-back = Bob ha vuelto
demo-stage-killed = El relé muere (kill -9)
demo-stage-restarted = El relé vuelve a funcionar con los mismos archivos
demo-summary =

    Los { $count } mensajes llegaron una vez, en orden, y están guardados al otro lado.
    Bob estuvo sin conexión una vez; el relé murió y volvió a arrancar una vez.
    En { $files } archivos del relé ({ $bytes } bytes: base de datos, registro previo, registro de trazas) se buscaron todos los
    textos, contraseñas y frases de paso, tal cual, en hexadecimal y en base64: no se encontró nada.
