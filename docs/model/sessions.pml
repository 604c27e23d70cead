/* Which session sends, when two devices may both begin (docs/protocol.md, SEL-1 to SEL-4, KA-4). What this proves, within which bounds and
 * by which abstraction, stands in README.md, with the switches of the broken variants.
 *
 * Each of two devices may begin sessions at any time, STARTS in all: not knowing of the other's, or instead of one that it no longer
 * trusts. Messages between them come in order, and some are lost (LOSSES). When nothing is under way any more the two write in turn; then
 * both must send in the same session.
 */

#ifdef THREE_STARTS
#define STARTS 3
#else
#define STARTS 2
#endif
#define LOSSES 1
#define TURNS 4            /* messages in turn at the end */
#define MESSAGES 3         /* messages before that */
#define SESSIONS 4         /* up to three, and index 0 for none */
#define NONE 0

/* A session, by the order of its beginning. */
byte starter[SESSIONS];
byte replaces[SESSIONS];
byte hash[SESSIONS];       /* stands for the transcript hash: any order is possible */

/* What a device holds: which session sends, which it knows at all, and in which it has received. Index: device * SESSIONS + session. */
byte sends[2];
bool holds[8];
bool received[8];
#define AT(d, s) ((d) * SESSIONS + (s))

chan wire[2] = [4] of { byte };      /* to device 0 and 1: the session of a message */
byte begun;
byte written;
byte lost;

inline begin(by)
{
    begun++;
    starter[begun] = by;
    replaces[begun] = sends[by];                       /* SEL-1 */
    holds[AT(by, begun)] = true;
    sends[by] = begun
}

/* Session k of the other side names s as replaced; s names as replaced a session k that only receives here. */
#define LEFT(d, s, k) (holds[AT(d, k)] && starter[k] != d && replaces[k] == s && k != s)
#define KNEW(d, s, k) (holds[AT(d, k)] && k != a && replaces[s] == k)

/* SEL-2: the first message of session s, which the other side has begun. */
inline admit(at, new)
{
    a = sends[at];
    superseded = LEFT(at, new, 1) || LEFT(at, new, 2) || LEFT(at, new, 3);
    knew_others = KNEW(at, new, 1) || KNEW(at, new, 2) || KNEW(at, new, 3);
    holds[AT(at, new)] = true;
    received[AT(at, new)] = true;
    if
    :: superseded                                     /* 1 */
    :: else ->
        if
        :: a == NONE || replaces[new] == a -> sends[at] = new                                           /* 2 */
#ifdef LAST_ONE_WINS
        :: else -> sends[at] = new                       /* broken: 3 is left out */
#else
        :: a != NONE && replaces[new] != a && starter[a] == at && (!received[AT(at, a)] || knew_others) ->      /* 3 */
            if
            :: hash[new] < hash[a] -> sends[at] = new
            :: else
            fi
        :: else -> sends[at] = new                                                                    /* 4 */
#endif
        fi
    fi;
    superseded = false; knew_others = false; a = 0
}

inline receive(who, session)
{
    if
    :: holds[AT(who, session)] -> received[AT(who, session)] = true
    :: else -> admit(who, session)
    fi
}

inline next_of(line, taken)
{
    if
    :: wire[line] ? taken
#ifdef REORDERED
    :: len(wire[line]) > 1 -> wire[line] ? taken; wire[line] ! taken; wire[line] ? taken      /* the second goes first */
#endif
    fi
}

proctype World()
{
    byte d, s, a, turn;
    bool superseded, knew_others;
    do
    :: atomic { begun < STARTS && written < MESSAGES && len(wire[0]) < 4 && len(wire[1]) < 4 ->      /* begin and write */
           select(d : 0 .. 1);
           begin(d);
           written++;
           wire[1 - d] ! sends[d]; d = 0 }
    :: atomic { written < MESSAGES && sends[0] != NONE && len(wire[1]) < 4 -> written++; wire[1] ! sends[0] }
    :: atomic { written < MESSAGES && sends[1] != NONE && len(wire[0]) < 4 -> written++; wire[0] ! sends[1] }
    :: atomic { len(wire[0]) > 0 -> next_of(0, s); receive(0, s); s = 0; d = 0 }
    :: atomic { len(wire[1]) > 0 -> next_of(1, s); receive(1, s); s = 0 }
    :: atomic { lost < LOSSES && len(wire[0]) > 0 -> next_of(0, s); lost++; s = 0 }
    :: atomic { lost < LOSSES && len(wire[1]) > 0 -> next_of(1, s); lost++; s = 0 }
    :: begun > 0 && len(wire[0]) == 0 && len(wire[1]) == 0 -> break
    od;
    /* In turn, whoever has a session to write in. */
    for (turn : 1 .. TURNS) {
        atomic {
            d = turn % 2;
            if
            :: sends[d] != NONE -> s = sends[d]; d = 1 - d; receive(d, s)
            :: else
            fi
        }
    }
    assert(sends[0] == sends[1] && sends[0] != NONE)
}

init
{
    atomic {
        /* Any order of the transcript hashes. */
        if
        :: hash[1] = 1; hash[2] = 2; hash[3] = 3
        :: hash[1] = 1; hash[2] = 3; hash[3] = 2
        :: hash[1] = 2; hash[2] = 1; hash[3] = 3
        :: hash[1] = 2; hash[2] = 3; hash[3] = 1
        :: hash[1] = 3; hash[2] = 1; hash[3] = 2
        :: hash[1] = 3; hash[2] = 2; hash[3] = 1
        fi;
        run World()
    }
}
