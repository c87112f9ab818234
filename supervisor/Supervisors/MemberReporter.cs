using System.Text.Json;
using System.Text.Json.Nodes;
using k8s.Models;
using Vks.Supervisor.ControlPlane;
using Vks.Supervisor.Kubernetes;

namespace Vks.Supervisor.Supervisors;

/// <summary>Tells the others, by way of the API, how the member on this host is: when it changes, and every <see cref="Every"/> as a sign of life.</summary>
/// <param name="api">The member's own API server: while it is not there, the silence says so.</param>
/// <param name="file">Where the member writes its state.</param>
/// <param name="places">Whether the placement service on this host listens.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">The log.</param>
internal sealed partial class MemberReporter(ApiClient api, string file, Func<bool> places, TimeProvider time, ILogger<MemberReporter> logger)
{
    /// <summary>Time between two signs of life.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);

    /// <summary>A member that has written nothing for so long stands still; nobody speaks for it.</summary>
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(5);

    private string _said = "";
    private long _saidAt;
    private bool _failing;

    /// <summary>Reports until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await LookAsync(cancellationToken);
                _failing = false;
            }
            catch (Exception problem) when (problem is ApiException or IOException or JsonException)
            {
                // Said again in a second; told once.
                if (!_failing)
                {
                    NotReported(file, problem.Message);
                }

                _failing = true;
            }

            await Task.Delay(s_look, time, cancellationToken);
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        MemberState? state = MemberState.Read(file);
        if (state is null || time.GetUtcNow() - state.At > s_fresh)
        {
            return;
        }

        string text = MemberReport.Of(state, places()).ToJson();
        if (text == _said && time.GetElapsedTime(_saidAt) < Every)
        {
            return;
        }

        await SayAsync(state, text, cancellationToken);
        _said = text;
        _saidAt = time.GetTimestamp();
    }

    private async Task SayAsync(MemberState state, string text, CancellationToken cancellationToken)
    {
        string name = MemberReport.LeaseOf(state.Name);
        DateTime now = time.GetUtcNow().UtcDateTime;
        V1Lease lease = new()
        {
            ApiVersion = "coordination.k8s.io/v1",
            Kind = "Lease",
            Metadata = new V1ObjectMeta
            {
                Name = name,
                NamespaceProperty = MemberReport.Space,
                Labels = new Dictionary<string, string> { [MemberReport.Mark] = state.Cluster },
                Annotations = new Dictionary<string, string> { [MemberReport.Annotation] = text },
            },
            Spec = new V1LeaseSpec { HolderIdentity = state.Name, LeaseDurationSeconds = (int)SupervisorPlan.SilentAfter.TotalSeconds, RenewTime = now },
        };
        JsonNode patch = JsonNode.Parse(k8s.KubernetesJson.Serialize(lease))!;
        try
        {
            await api.MergeAsync<V1Lease>(MemberReport.Space, name, patch, cancellationToken);
        }
        catch (ApiException missing) when (missing.Fault == ApiFault.NotFound)
        {
            await api.CreateAsync(lease, cancellationToken);
        }
    }

    [LoggerMessage(4240, LogLevel.Warning, "How the member is ({File}) could not be told to the others, and is tried again each second: {Problem}")]
    private partial void NotReported(string file, string problem);
}
