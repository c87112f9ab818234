using System.Globalization;
using Grpc.Core;

namespace Vks.Spherelet.Cri;

/// <summary>Bytes that are no message of their call are the caller's mistake; the class library, which reads them before any of our code, calls it Unknown or Internal.</summary>
internal static class BrokenRequests
{
    private const string StatusHeader = "grpc-status";
    private const string MessageHeader = "grpc-message";
    private const string Explanation = "The request is no message of this call: its bytes could not be read. Caller and daemon may have other versions of CRI.";

    private static readonly object s_read = new();

    /// <summary>Corrects the status of what could not be read. To be placed before routing.</summary>
    public static void UseBrokenRequests(this IApplicationBuilder app) => app.Use(static async (http, next) =>
    {
        await next(http);
        IHeaderDictionary headers = http.Response.Headers;
        if (!http.Response.HasStarted && !http.Items.ContainsKey(s_read) && Is(headers, StatusCode.Unknown, StatusCode.Internal))
        {
            headers[StatusHeader] = ((int)StatusCode.InvalidArgument).ToString(CultureInfo.InvariantCulture);
            headers[MessageHeader] = Explanation;
        }
    });

    /// <summary>Marks a call whose request was read: its status is our own.</summary>
    public static void MarkRead(ServerCallContext context) => context.GetHttpContext().Items[s_read] = true;

    private static bool Is(IHeaderDictionary headers, params ReadOnlySpan<StatusCode> codes) =>
        int.TryParse(headers[StatusHeader], CultureInfo.InvariantCulture, out int code) && codes.Contains((StatusCode)code);
}
