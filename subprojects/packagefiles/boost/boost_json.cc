// Boost.JSON in one translation unit, as its documentation offers it.
#include <boost/json/src.hpp>
