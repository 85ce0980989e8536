/* libfaketime 0.9.10 does not know C11's timed wait, which librdkafka uses: it would wait until the
   true clock shows a time of the wrong one, for an hour or not at all. glibc's two kinds of condition
   are one, and POSIX's wait is known. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until) {
    int error = pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until);
    return error == 0 ? thrd_success : error == ETIMEDOUT ? thrd_timedout : thrd_error;
}
