/* SPDX-License-Identifier: MIT */
/* visibility.h - everything is hidden (-fvisibility=hidden) except what says EXPORT */
#ifndef CORE_VISIBILITY_H
#define CORE_VISIBILITY_H

#define EXPORT __attribute__((visibility("default")))

#endif
