using System.Net;

namespace Vks.Supervisor.Kubernetes;

/// <summary>What went wrong between the Supervisor and the API server, as far as callers tell cases apart.</summary>
internal enum ApiFault
{
    /// <summary>No such object or kind (404).</summary>
    NotFound,

    /// <summary>The object was changed or made by somebody else in between (409).</summary>
    Conflict,

    /// <summary>A watch's starting point is too old (410); list anew.</summary>
    Expired,

    /// <summary>RBAC or an admission plugin refuses (401, 403).</summary>
    Forbidden,

    /// <summary>The object breaks the schema or a rule (400, 422).</summary>
    Invalid,

    /// <summary>No connection, or no answer in time.</summary>
    Unreachable,

    /// <summary>Any other refusal.</summary>
    Other,
}

/// <summary>A call to the API server that failed.</summary>
/// <param name="fault">Which case it is.</param>
/// <param name="call">Verb and path that were tried.</param>
/// <param name="answer">What came back, in the server's words.</param>
/// <param name="cause">The exception below, if any.</param>
internal sealed class ApiException(ApiFault fault, string call, string answer, Exception? cause = null)
    : Exception($"{call}: {answer}", cause)
{
    /// <summary>Which case it is.</summary>
    public ApiFault Fault { get; } = fault;

    /// <summary>What came back, without the call: what a condition tells users.</summary>
    public string Answer { get; } = answer;

    /// <summary>The case that an HTTP status stands for.</summary>
    public static ApiFault FaultOf(HttpStatusCode status) => status switch
    {
        HttpStatusCode.NotFound => ApiFault.NotFound,
        HttpStatusCode.Conflict => ApiFault.Conflict,
        HttpStatusCode.Gone => ApiFault.Expired,
        HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ApiFault.Forbidden,
        HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity => ApiFault.Invalid,
        _ => ApiFault.Other,
    };
}
