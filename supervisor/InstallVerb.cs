using System.CommandLine;
using System.Text.Json.Nodes;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor;

/// <summary><c>supervisor install</c>: the Supervisor's kinds and roles, and where its admission is asked.</summary>
internal static class InstallVerb
{
    /// <summary>The verb.</summary>
    public static Command Command()
    {
        Option<string?> kubeconfig = KubeconfigOption();
        Option<string?> service = new("--service-url")
        {
            Description = "Where each API server finds the placement service on its own host, as https://127.0.0.1:10270: its admission is registered there",
        };
        Option<FileInfo?> authority = new("--service-ca") { Description = "Certificate of the placement service's authority, PEM; with --service-url" };
        Command command = new("install", "Puts the Supervisor's kinds and roles into the API server; may be repeated") { kubeconfig, service, authority };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            TextWriter output = parsed.InvocationConfiguration.Output;
            IReadOnlyList<JsonObject> manifests = Manifests.Read(["1", "2"]);
            IReadOnlyList<JsonObject> admission = Admission(parsed.GetValue(service), parsed.GetValue(authority));
            using ApiClient api = ApiClient.Open(parsed.GetValue(kubeconfig));
            await InstallAsync(api, [.. manifests, .. admission], output, cancellationToken);
            return 0;
        });
        return command;
    }

    /// <summary>The option that all verbs with an API server have.</summary>
    public static Option<string?> KubeconfigOption() => new("--kubeconfig") { Description = "Which API server, and as whom; else $KUBECONFIG or ~/.kube/config" };

    private static IReadOnlyList<JsonObject> Admission(string? service, FileInfo? authority)
    {
        if (service is null && authority is null)
        {
            return [];
        }

        if (service is null || authority is null || !Uri.TryCreate(service, UriKind.Absolute, out Uri? url) || url.Scheme != Uri.UriSchemeHttps)
        {
            throw new SupervisorException(SupervisorFault.Settings, "--service-url takes an https:// URL and needs --service-ca, and the other way round.");
        }

        if (!authority.Exists)
        {
            throw new SupervisorException(SupervisorFault.Settings, $"--service-ca: there is no file {authority}. `supervisor scheduler-config` makes it.");
        }

        return Manifests.Read(["30"], ("ADDRESS", service.TrimEnd('/')), ("AUTHORITY", Convert.ToBase64String(File.ReadAllBytes(authority.FullName))));
    }

    /// <summary>Puts manifests into the API server, and waits until it serves their kinds. May be repeated.</summary>
    /// <param name="api">The server.</param>
    /// <param name="manifests">In their order.</param>
    /// <param name="output">Gets a line for each.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SupervisorException"><see cref="SupervisorFault.ControlPlane"/>: the server refused one.</exception>
    public static async Task InstallAsync(ApiClient api, IReadOnlyList<JsonObject> manifests, TextWriter output, CancellationToken cancellationToken)
    {
        Installer installer = new(api, TimeProvider.System);
        try
        {
            foreach (JsonObject manifest in manifests)
            {
                string done = await installer.ApplyAsync(manifest, cancellationToken);
                await output.WriteLineAsync($"{((string)manifest["kind"]!).ToLowerInvariant()}/{manifest["metadata"]!["name"]} {done}");
            }

            foreach (JsonObject definition in manifests.Where(manifest => (string?)manifest["kind"] == "CustomResourceDefinition"))
            {
                await installer.WaitServedAsync(definition, cancellationToken);
            }
        }
        catch (ApiException problem)
        {
            throw new SupervisorException(SupervisorFault.ControlPlane, $"Installing failed: {problem.Message}. It may be repeated.", problem);
        }
    }
}
