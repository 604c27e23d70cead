/* Which session sends, when two devices may both begin, lose messages and lose what they know (docs/protocol.md, SEL-1 to SEL-5, KA-3,
 * KA-4, CON-6). What this proves, within which bounds and by which abstraction, stands in README.md, with the switches of the broken
 * variants.
 *
 * Each of two devices may begin sessions at any time, STARTS in all: not knowing of the other's, or instead of one that it no longer
 * trusts. Whatever was written may be delivered in any order, again and again, or never. Once, a device may lose all its sessions, with
 * its prekeys or without. When nothing is under way any more the two write in turn; then both must send in the same session.
 */

#ifndef STARTS
#define STARTS 4           /* while messages are under way; more in the end */
#endif
#ifndef MESSAGES
#define MESSAGES 4         /* while messages are under way */
#endif
#define LOSSES 1           /* of everything that a device knows */
#define TURNS 7            /* messages in turn at the end: what cannot be read, a request for repair, a start, and one each way */
#define SESSIONS 10        /* index 0 for none */
#define NONE 0

/* A session, by the order of its beginning. */
byte starter[SESSIONS];
byte rank[SESSIONS];       /* generation * 8 + what stands for the transcript hash: any order is possible, no two are the same */
bool gone[SESSIONS];       /* the prekeys that it was begun with are used up or lost (KA-3) */

/* What a device knows. Index: device * SESSIONS + session. */
byte sends[2];             /* the session that sends */
byte largest[2];           /* of those that it has known */
bool holds[20];
bool received[20];
bool ask[2];               /* something could not be read, */
byte heard[2];             /* in this session, as its initial header says */
#define AT(d, s) ((d) * SESSIONS + (s))

/* What is under way to a device, by session, without an initial header and with one. */
bool way[40];
#define WAY(d, s, initial) (AT(d, s) * 2 + (initial))

byte begun;
byte written;
byte lost;

inline begin(by)
{
    begun++;
    assert(begun < SESSIONS);
    starter[begun] = by;
#ifdef NO_GENERATION
    rank[begun] = 8;                                  /* broken: SEL-1 */
#else
    rank[begun] = rank[largest[by]] / 8;                                     /* SEL-1 */
#ifndef CLAIM_IGNORED
    if
    :: rank[heard[by]] / 8 > rank[begun] -> rank[begun] = rank[heard[by]] / 8        /* CON-6 */
    :: else
    fi;
#endif
    rank[begun] = (rank[begun] + 1) * 8;
#endif
    /* Two transcripts have no common hash. */
    for (k : 1 .. SESSIONS - 1) {
        if
        :: k < begun && rank[k] / 8 == rank[begun] / 8 -> taken = taken | (1 << (rank[k] % 8))
        :: else
        fi
    }
    k = 0;
    if
    :: taken == 0 -> rank[begun] = rank[begun] + 4                           /* the first of a generation, */
    :: taken == 16 -> rank[begun] = rank[begun] + 2                          /* one below it or above it, */
    :: taken == 16 -> rank[begun] = rank[begun] + 6
    :: taken > 16 && !(taken & 2) -> rank[begun] = rank[begun] + 1           /* one below both, between them or above both; */
    :: taken > 16 && !(taken & 8) -> rank[begun] = rank[begun] + 3
    :: taken > 16 && !(taken & 32) -> rank[begun] = rank[begun] + 5
    :: taken > 16 && !(taken & 128) -> rank[begun] = rank[begun] + 7
    :: else                                           /* there are no more where a device counts upwards and forgets once */
    fi;
    taken = 0;
    holds[AT(by, begun)] = true;
    sends[by] = begun;
    largest[by] = begun
}

inline leave(by)
{
    sends[by] = NONE;
#ifdef FORGETS_LARGEST
    largest[by] = NONE                                /* broken: SEL-1, what was left does not count */
#endif
}

/* SEL-2, SEL-5: the first message of session new, which the other side has begun. */
inline admit(at, new)
{
    holds[AT(at, new)] = true;
    gone[new] = true;
#ifdef LAST_ONE_WINS
    sends[at] = new; largest[at] = new;               /* broken: SEL-2 */
#else
    if
    :: rank[new] > rank[largest[at]] -> sends[at] = new; largest[at] = new
    :: else ->
#ifndef STAYS
        if
        :: sends[at] != NONE && (starter[sends[at]] != at || received[AT(at, sends[at])]) -> leave(at)
        :: else
        fi
#else
        skip                                          /* broken: SEL-5 */
#endif
    fi;
#endif
    received[AT(at, new)] = true
}

inline receive(at, s, initial)
{
    if
    :: holds[AT(at, s)] -> received[AT(at, s)] = true                        /* KA-4 */
    :: !holds[AT(at, s)] && initial && !gone[s] -> admit(at, s)
    :: else ->
        ask[at] = true;
        if
        :: initial && rank[s] > rank[heard[at]] -> heard[at] = s
        :: else
        fi
    fi
}

/* Writes a message, in s and initial; one that asks for repair in a session made anew (CON-6). */
inline write(by)
{
    if
    :: ask[by] || sends[by] == NONE -> begin(by)
    :: else
    fi;
    ask[by] = false;
    heard[by] = NONE;
    s = sends[by];
    initial = (starter[s] == by && !received[AT(by, s)])                     /* KA-8 */
}

inline forget(who)
{
    lost++;
    for (k : 1 .. SESSIONS - 1) { holds[AT(who, k)] = false; received[AT(who, k)] = false }
    sends[who] = NONE;
    largest[who] = NONE;
    ask[who] = false;
    heard[who] = NONE;
    if
    :: skip
    :: for (k : 1 .. SESSIONS - 1) {                                         /* what was begun with its prekeys cannot be answered */
           if
           :: k <= begun && starter[k] != who -> gone[k] = true
           :: else
           fi
       }
    fi;
    k = 0
}

proctype World()
{
    byte d, s, k, h, turn;
    byte taken;
    bool initial;
    do
    :: atomic { written < MESSAGES ->
           select(d : 0 .. 1);
           if
           :: begun < STARTS && !ask[d] -> begin(d)                          /* for reasons of its own */
           :: skip
           fi;
           if
           :: begun < STARTS || (sends[d] != NONE && !ask[d]) ->
               write(d);
               written++;
               way[WAY(1 - d, s, initial)] = true
           :: else
           fi;
           d = 0; s = 0; initial = false }
    :: atomic { written > 0 ->
           select(d : 0 .. 1);
           select(s : 1 .. STARTS);
           select(h : 0 .. 1);
           if
           :: way[WAY(d, s, h)] -> initial = h; receive(d, s, initial)
           :: else
           fi;
           h = 0;
           d = 0; s = 0; initial = false }
    :: atomic { lost < LOSSES && begun > 0 -> select(d : 0 .. 1); forget(d); d = 0 }
    :: break
    od;
    /* What is still under way is lost; then in turn. */
    atomic { for (k : 0 .. 39) { way[k] = false } k = 0 }
    atomic {
        for (turn : 1 .. TURNS) {
            d = turn % 2;
            write(d);
            receive(1 - d, s, initial)
        }
    }
    assert(sends[0] == sends[1] && sends[0] != NONE)
}

init { run World() }
