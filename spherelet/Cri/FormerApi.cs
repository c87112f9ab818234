using Grpc.Core;

namespace Vks.Spherelet.Cri;

/// <summary>The API under its former name, <c>runtime.v1alpha2</c>, which kubelets up to 1.25 speak.</summary>
/// <remarks>
/// Every message of v1alpha2 is a message of v1 with the same field numbers (later fields are unknown to the one side and absent to the
/// other; <c>KeyValue.value</c> was a string, which are the same bytes). So the one thing to translate is the name of the service.
/// </remarks>
internal static class FormerApi
{
    private const string FormerName = "v1alpha2";
    private const string FormerPrefix = "/runtime." + FormerName + ".";
    private const string PresentName = "v1";
    private const string PresentPrefix = "/runtime." + PresentName + ".";

    private static readonly object s_mark = new();

    /// <summary>Gives calls of the former API to the handlers of the present one. To be placed before routing.</summary>
    public static void UseFormerApi(this IApplicationBuilder app) => app.Use(static (http, next) =>
    {
        if (http.Request.Path.Value is { } path && path.StartsWith(FormerPrefix, StringComparison.Ordinal))
        {
            http.Request.Path = string.Concat(PresentPrefix, path.AsSpan(FormerPrefix.Length));
            http.Items[s_mark] = FormerName;
        }

        return next(http);
    });

    /// <summary>The version of the API by which a call came: <c>v1</c> or <c>v1alpha2</c>.</summary>
    public static string VersionOf(ServerCallContext context) => context.GetHttpContext().Items[s_mark] as string ?? PresentName;
}
