using Vks.Runtime.Machines;
using Vks.Spherelet.Network;
using Vks.Spherelet.Overhead;
using Vks.Spherelet.Pods;
using Vks.Spherelet.Streaming;

namespace Vks.Spherelet.Cri;

/// <summary>The CRI runtime service: turns calls into the words of pods and back. One file for each call.</summary>
/// <remarks>A call that has no file here answers Unimplemented, which is what the generated base does.</remarks>
internal sealed partial class RuntimeService(
    PodService pods,
    ContainerService containers,
    PodTable table,
    PodMeter meter,
    MachinePool pool,
    WritableLayers layers,
    CrxEngine engine,
    IPodNetwork network,
    StreamingUrls streaming,
    SphereletOptions settings,
    OverheadWatch overhead,
    TimeProvider time,
    ILogger<RuntimeService> logger) : V1.RuntimeService.RuntimeServiceBase
{
    /// <summary>What Version calls the runtime.</summary>
    internal const string RuntimeName = "vks";

    /// <summary>The version of this program.</summary>
    internal static string RuntimeVersion { get; } = typeof(RuntimeService).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
