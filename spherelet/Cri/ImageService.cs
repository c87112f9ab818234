using Vks.Spherelet.Images;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>The CRI image service: turns calls into the words of the image store and back. One file for each call.</summary>
internal sealed partial class ImageService(IImageStore store, WritableLayers writable, TimeProvider time) : V1.ImageService.ImageServiceBase;
